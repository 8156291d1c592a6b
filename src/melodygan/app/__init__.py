"""`melodygan app`: a local web page to play with, over the functions that the commands call.

Design, in the order in which a request passes it:

- `start` binds 127.0.0.1 (or `--share-host HOST`, with a token) and runs the server. Only it and
  `server` import the web library (Starlette on uvicorn, extra `app`), so the rest of the package,
  the command line included, never does.
- `safety` looks at every request before anything else: the Host it names, the token, and for all
  that changes something the Origin and the page's own key. It sets the headers, with a content
  security policy that lets the page load nothing from elsewhere.
- `server` has the routes. It holds no torch and decodes no audio: what computes runs in a child.
- `wishes` says what can be asked for, as dataclasses; whatever else comes is refused in one line.
- `jobs` is the one queue: jobs of several visitors take turns, each shows its progress, and to
  cancel one ends its child. `workers` are the parent's side of children, kept warm so that
  sound comes at once; `child` is theirs, `deeds` what they do: the commands' functions.
- `live` is music without end: the child streams what `melodygan play --steer` would, a little ahead
  of the listener.
- `shelf` keeps uploads and results under names that nobody can guess, and forgets old ones.
- `listening`, `training` read what the pipeline has left in data/, metrics/ and models/; training
  itself is `dvc repro` in a child.

Pages are plain files in `static/`, without a build step.
"""
