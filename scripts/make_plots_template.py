"""Write .dvc/plots-offline.html, the page in which `dvc plots` draws without a network.

DVC's own page loads Vega from the network and stays blank where there is none. This one carries
the libraries. Run it again after an update of vl-convert-python:

    python scripts/make_plots_template.py [TARGET]
"""

import sys
from pathlib import Path

import vl_convert

# DVC's plot templates are written for Vega-Lite 5
VEGA_LITE = "5.21"
PLACEHOLDERS = ("{plot_divs}", "{refresh_tag}", "{scripts}")
NOTICE = """
Contains Vega, Vega-Lite and Vega-Embed, which carry this notice:

Copyright (c) 2015-2023, University of Washington Interactive Data Lab
All rights reserved.

Redistribution and use in source and binary forms, with or without modification, are permitted
provided that the following conditions are met:

1. Redistributions of source code must retain the above copyright notice, this list of conditions
   and the following disclaimer.
2. Redistributions in binary form must reproduce the above copyright notice, this list of
   conditions and the following disclaimer in the documentation and/or other materials provided
   with the distribution.
3. Neither the name of the copyright holder nor the names of its contributors may be used to
   endorse or promote products derived from this software without specific prior written
   permission.

THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS" AND ANY EXPRESS OR
IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE IMPLIED WARRANTIES OF MERCHANTABILITY AND
FITNESS FOR A PARTICULAR PURPOSE ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR
CONTRIBUTORS BE LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR CONSEQUENTIAL
DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF SUBSTITUTE GOODS OR SERVICES; LOSS OF USE,
DATA, OR PROFITS; OR BUSINESS INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER
IN CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE) ARISING IN ANY WAY OUT
OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE POSSIBILITY OF SUCH DAMAGE.

And parts of D3, TopoJSON, Delaunator and node-semver (ISC licence; copyright Mike Bostock, Mapbox,
Isaac Z. Schlueter and contributors):

Permission to use, copy, modify, and/or distribute this software for any purpose with or without
fee is hereby granted, provided that the above copyright notice and this permission notice appear
in all copies. THE SOFTWARE IS PROVIDED "AS IS" AND THE AUTHOR DISCLAIMS ALL WARRANTIES WITH REGARD
TO THIS SOFTWARE INCLUDING ALL IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS. IN NO EVENT SHALL
THE AUTHOR BE LIABLE FOR ANY SPECIAL, DIRECT, INDIRECT, OR CONSEQUENTIAL DAMAGES OR ANY DAMAGES
WHATSOEVER RESULTING FROM LOSS OF USE, DATA OR PROFITS, WHETHER IN AN ACTION OF CONTRACT, NEGLIGENCE
OR OTHER TORTIOUS ACTION, ARISING OUT OF OR IN CONNECTION WITH THE USE OR PERFORMANCE OF THIS
SOFTWARE.

And of lodash, fast-json-patch and json-stringify-pretty-compact (MIT licence; copyright OpenJS
Foundation, Joachim Wester, Simon Lydell and contributors):

Permission is hereby granted, free of charge, to any person obtaining a copy of this software and
associated documentation files (the "Software"), to deal in the Software without restriction,
including without limitation the rights to use, copy, modify, merge, publish, distribute,
sublicense, and/or sell copies of the Software, and to permit persons to whom the Software is
furnished to do so, subject to the following conditions: The above copyright notice and this
permission notice shall be included in all copies or substantial portions of the Software. THE
SOFTWARE IS PROVIDED "AS IS", WITHOUT WARRANTY OF ANY KIND, EXPRESS OR IMPLIED, INCLUDING BUT NOT
LIMITED TO THE WARRANTIES OF MERCHANTABILITY, FITNESS FOR A PARTICULAR PURPOSE AND NONINFRINGEMENT.
IN NO EVENT SHALL THE AUTHORS OR COPYRIGHT HOLDERS BE LIABLE FOR ANY CLAIM, DAMAGES OR OTHER
LIABILITY, WHETHER IN AN ACTION OF CONTRACT, TORT OR OTHERWISE, ARISING FROM, OUT OF OR IN
CONNECTION WITH THE SOFTWARE OR THE USE OR OTHER DEALINGS IN THE SOFTWARE.
"""


def page() -> str:
    """The template: {refresh_tag} and {plot_divs} are DVC's; its {scripts} are not wanted."""
    libraries = vl_convert.javascript_bundle(vl_version=VEGA_LITE)
    for text in (*PLACEHOLDERS, "</script"):
        if text in libraries:
            raise SystemExit(f"the libraries contain {text}, which the page cannot carry")
    return f"""<!DOCTYPE html>
<html>
<head>
<!--{NOTICE}-->
<meta charset="utf-8">
{{refresh_tag}}
<title>MelodyGAN plots</title>
<script>
{libraries}
</script>
<style>
body {{ font-family: sans-serif; }}
img {{ max-width: 90vw; }}
</style>
</head>
<body>
{{plot_divs}}
</body>
</html>
"""


if __name__ == "__main__":
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ".dvc/plots-offline.html")
    text = page()
    target.write_text(text, encoding="utf-8")
    print(f"{target}: {len(text.encode()):,} bytes")
