// Asking the server. Every refusal is an Error with the one line that it gave.
const key = document.querySelector("meta[name=melodygan-key]").content;

async function answer(response) {
  const text = await response.text();
  let body = {};
  try {
    body = JSON.parse(text);
  } catch {
    body = { error: text };
  }
  if (!response.ok) throw new Error(body.error || `the server answers ${response.status}`);
  return body;
}

export async function get(path) {
  return answer(await fetch(path).catch(gone));
}

export async function post(path, body = {}) {
  const headers = { "content-type": "application/json", "x-melodygan-key": key };
  return answer(await fetch(path, { method: "POST", headers, body: JSON.stringify(body) }).catch(gone));
}

function gone() {
  throw new Error("the server does not answer: is `melodygan app` still running?");
}

// A file as the raw body; `progress` gets the share of it that has arrived.
export function upload(file, progress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/api/uploads");
    request.setRequestHeader("x-melodygan-key", key);
    request.setRequestHeader("x-name", encodeURIComponent(file.name));
    request.responseType = "json";
    request.upload.onprogress = (event) => event.total && progress(event.loaded / event.total);
    request.onerror = () => reject(new Error("the upload broke off: choose the file again"));
    request.onload = () =>
      request.status === 200
        ? resolve(request.response)
        : reject(new Error(request.response?.error || `the server answers ${request.status}`));
    request.send(file);
  });
}
