// Files of `file` questions go to the server when they are chosen; the answer keeps {name, type, content}, its address.
import { text } from "./page.js";

export function handleFiles(survey, api, token) {
  const here = new Map(); // what was chosen in this page, by its address
  survey.onUploadFiles.add(async (_, { question, files, callback }) => {
    const done = await Promise.allSettled(files.map((file) => api.upload(question.name, file, token())));
    done.forEach(({ value }, index) => value && here.set(value.content, files[index]));
    const failed = done.filter((one) => one.status === "rejected").map((one) => told(one.reason));
    if (failed.length > 0) return callback("error", failed);
    callback("success", done.map(({ value }, index) => ({ file: files[index], content: value.content })));
  });
  survey.onDownloadFile.add(async (_, { content, callback }) => {
    try {
      callback("success", await dataUrl(here.get(content) ?? (await api.download(content, token()))));
    } catch {
      callback("error", text("fileGone"));
    }
  });
  survey.onClearFiles.add((_, { callback }) => callback("success"));
}

// Files in the answers themselves would make them too large to be sent: the server takes either. Nor may a form end
// while one is still on its way.
export function storeApart(part) {
  if (part === null || typeof part !== "object") return;
  if ((part.cellType ?? part.type) === "file") Object.assign(part, { storeDataAsText: false, waitForUpload: true });
  Object.values(part).forEach(storeApart);
}

function told(problem) {
  const reason = problem.errors[0]?.message ?? problem.message;
  return problem.status === 0 || !reason ? text("uploadFailed") : reason;
}

function dataUrl(blob) {
  return new Promise((done, failed) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => done(reader.result));
    reader.addEventListener("error", () => failed(reader.error));
    reader.readAsDataURL(blob);
  });
}
