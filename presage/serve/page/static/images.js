// Images to send: chosen, pasted or dropped, kept as data URLs. What a file is, its first bytes say, not its name.
import { alarm, at, button, make, say } from "./dom.js";

export const MOST = 8;
const LARGEST = 10 << 20;
const BEGINS = { png: [0x89, 0x50, 0x4e, 0x47], jpeg: [0xff, 0xd8, 0xff], gif: [0x47, 0x49, 0x46, 0x38], webp: [0x52, 0x49, 0x46, 0x46] };

export const chosen = [];

export async function add(files) {
  const images = [...files];
  if (!images.length) return;
  alarm("");
  for (const file of images) {
    if (chosen.length >= MOST) return alarm(`At most ${MOST} images in one message.`);
    if (file.size > LARGEST) return alarm(`${file.name || "This image"} is larger than 10 MB.`);
    const url = await read(file);
    if (!url) return alarm(`${file.name || "What was given"} is no PNG, JPEG, WebP or GIF image.`);
    chosen.push(url);
    draw();
  }
  say(`${chosen.length} ${chosen.length === 1 ? "image" : "images"} to send.`);
}

async function read(file) {
  const bytes = new Uint8Array(await file.slice(0, 12).arrayBuffer());
  const kind = Object.keys(BEGINS).find((name) => BEGINS[name].every((one, n) => bytes[n] === one));
  if (!kind) return "";
  const url = await new Promise((done) => {
    const reader = new FileReader();
    reader.addEventListener("load", () => done(String(reader.result)));
    reader.addEventListener("error", () => done(""));
    reader.readAsDataURL(file);
  });
  return url && `data:image/${kind};base64,${url.slice(url.indexOf(",") + 1)}`;
}

export function clear() {
  chosen.length = 0;
  draw();
}

export function set(urls) {
  chosen.splice(0, chosen.length, ...urls);
  draw();
}

function draw() {
  at("thumbs").replaceChildren(...chosen.map(thumb));
  at("thumbs").hidden = !chosen.length;
}

function thumb(url, place) {
  const drop = () => {
    chosen.splice(place, 1);
    draw();
    at("box").focus();
  };
  return make("li", "", picture(url, `Image ${place + 1} to send`), button(`Remove image ${place + 1}`, drop, { sign: "close", name: "quiet small" }));
}

export function picture(url, alt) {
  const made = make("img");
  made.src = url;
  made.alt = alt;
  made.decoding = "async";
  return made;
}

const HOLDS = (event) => [...(event.dataTransfer?.types ?? [])].includes("Files");

// Paste into the field, drop anywhere, or the button; `may` says whether the model sees.
export function listen(may) {
  at("box").addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (!files.length) return;
    event.preventDefault();
    may() ? add(files) : alarm("This model does not see: images are not sent.");
  });
  addEventListener("dragover", (event) => {
    if (!HOLDS(event)) return;
    event.preventDefault();
    document.body.classList.toggle("dropping", may());
  });
  addEventListener("dragleave", (event) => event.relatedTarget || document.body.classList.remove("dropping"));
  addEventListener("drop", (event) => {
    if (!HOLDS(event)) return;
    event.preventDefault();
    document.body.classList.remove("dropping");
    may() ? add(event.dataTransfer.files) : alarm("This model does not see: images are not sent.");
  });
  at("attach").addEventListener("click", () => at("files").click());
  at("files").addEventListener("change", () => {
    add(at("files").files).then(() => (at("files").value = ""));
    at("box").focus();
  });
}
