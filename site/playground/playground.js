// The playground: the course's models, run in the browser by onnxruntime-web. Nothing is sent anywhere.
import * as ort from "./ort.wasm.min.mjs";

ort.env.wasm.numThreads = 1; // more need headers that a static host does not send
ort.env.wasm.wasmPaths = new URL("./", import.meta.url).href;

const here = (name) => new URL(name, import.meta.url).href;
const by = (id) => document.getElementById(id);
const sessions = {};

/** Run a model on rows of numbers; one call after another, since a session does one thing at a time. */
async function run(name, values, shape) {
  sessions[name] ??= ort.InferenceSession.create(here(`${name}.onnx`), { executionProviders: ["wasm"] });
  const session = await sessions[name];
  const task = (session.last ?? Promise.resolve()).then(() => session.run({ x: new ort.Tensor("float32", values, shape) }));
  session.last = task.catch(() => {});
  return (await task).y;
}

/** Return a function that draws the newest wish only: wishes that come while one is drawn wait, and the last one wins. */
function latest(draw) {
  let busy = false, again = false;
  return async function wish() {
    if (busy) { again = true; return; }
    busy = true;
    do { again = false; await draw(); } while (again);
    busy = false;
  };
}

const sheets = new Map(); // canvas → its context and the pixels that are put on it, which are made once

/** Draw images (n, c, h, w) in [0, 1] in rows of `across`. */
function paint(canvas, tensor, across = 1) {
  const [n, c, h, w] = tensor.dims, width = w * across, height = h * Math.ceil(n / across), values = tensor.data;
  if (!sheets.has(canvas) || canvas.width !== width || canvas.height !== height) {
    [canvas.width, canvas.height] = [width, height];
    const context = canvas.getContext("2d");
    sheets.set(canvas, { context, picture: context.createImageData(width, height) });
  }
  const { context, picture } = sheets.get(canvas), pixels = picture.data, step = c === 1 ? 0 : h * w;
  for (let i = 0; i < n; i++) for (let y = 0; y < h; y++) {
    let from = i * c * h * w + y * w, to = 4 * ((Math.floor(i / across) * h + y) * width + (i % across) * w);
    for (let x = 0; x < w; x++, from++, to += 4) {
      pixels[to] = 255 * values[from];
      pixels[to + 1] = 255 * values[from + step];
      pixels[to + 2] = 255 * values[from + 2 * step];
      pixels[to + 3] = 255;
    }
  }
  context.putImageData(picture, 0, 0);
  canvas.dataset.drawn = String(Number(canvas.dataset.drawn ?? 0) + 1);
}

function normal() {
  return Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
}

const draws = (count) => Float32Array.from({ length: count }, normal);
const ink = () => getComputedStyle(document.body).color;
// Okabe and Ito's colours, and two more, as in the lessons: safe for the colour-blind. Each class also has its number.
const COLORS = ["#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#8A6D00", "#666666", "#7B3FA0", "#B8336A"];

// --- Make them smile -----------------------------------------------------------------------------------------------

function smile(about) {
  const { sliders: names, directions, codes, astronaut, cascade, size } = about;
  const face = { code: Float32Array.from(codes[0]), next: 1 };
  const values = Object.fromEntries(names.map((name) => [name, 0]));
  const photo = { bitmap: null, x: 0.5, y: 0.4, edge: 0.5 };

  const redraw = latest(async () => {
    const code = Float32Array.from(face.code);
    for (const name of names) for (let i = 0; i < code.length; i++) code[i] += values[name] * directions[name][i];
    // The face before the edit is decoded when there is another one, not with every move of a slider.
    const before = face.code;
    if (face.drawn !== before) {
      paint(by("face-before"), await run("face_decoder", before, [1, code.length]));
      face.drawn = before;
    }
    paint(by("face-after"), await run("face_decoder", code, [1, code.length]));
  });

  for (const name of names) {
    const label = document.createElement("label"), text = name.replaceAll("_", " ");
    label.innerHTML = `<span>${text}</span><input type="range" min="-3" max="3" step="0.1" value="0" data-attribute="${name}"><output>0</output>`;
    const [, slider, output] = label.children;
    slider.addEventListener("input", () => {
      values[name] = Number(slider.value);
      output.textContent = slider.value;
      redraw();
    });
    by("face-sliders").append(label);
  }
  const reset = () => {
    for (const slider of by("face-sliders").querySelectorAll("input")) {
      slider.value = 0;
      slider.dispatchEvent(new Event("input"));
    }
  };
  const show = (code) => { face.code = Float32Array.from(code); return redraw(); };
  by("face-random").addEventListener("click", () => { by("placing").hidden = true; show(codes[face.next++ % codes.length]); });
  by("face-astronaut").addEventListener("click", () => { by("placing").hidden = true; show(astronaut); });
  by("face-reset").addEventListener("click", reset);
  by("face-share").addEventListener("click", () => {
    const sheet = document.createElement("canvas"), context = sheet.getContext("2d");
    [sheet.width, sheet.height] = [784, 416];
    context.fillStyle = "#fff";
    context.fillRect(0, 0, 784, 416);
    context.imageSmoothingQuality = "high";
    context.drawImage(by("face-before"), 0, 0, 384, 384);
    context.drawImage(by("face-after"), 400, 0, 384, 384);
    context.fillStyle = "#333";
    context.font = "16px sans-serif";
    const moved = names.filter((name) => values[name]).map((name) => `${name.replaceAll("_", " ")} ${values[name]}`);
    context.fillText(`From a Neuron to a Smile: ${moved.join(", ") || "no edit yet"}`, 4, 406);
    const link = document.createElement("a");
    [link.download, link.href] = ["smile.png", sheet.toDataURL("image/png")];
    link.click();
  });

  // One's own photo: a square is cut out, encoded and decoded; the place that the model explains best is searched for.
  const cut = document.createElement("canvas");
  [cut.width, cut.height] = [size, size];
  const pencil = cut.getContext("2d", { willReadFrequently: true });
  pencil.imageSmoothingQuality = "high";
  function crop({ x, y, edge }) {
    const { width, height } = photo.bitmap, pixels = edge * Math.min(width, height);
    pencil.fillStyle = "#777";
    pencil.fillRect(0, 0, size, size);
    pencil.drawImage(photo.bitmap, x * width - pixels / 2, y * height - pixels / 2, pixels, pixels, 0, 0, size, size);
    const { data } = pencil.getImageData(0, 0, size, size), values = new Float32Array(3 * size * size);
    for (let i = 0; i < size * size; i++) for (let k = 0; k < 3; k++) values[k * size * size + i] = data[4 * i + k] / 255;
    return values;
  }
  async function encode(crops) {
    const flat = new Float32Array(crops.length * 3 * size * size);
    crops.forEach((values, i) => flat.set(values, i * 3 * size * size));
    const both = await run("face_encoder", flat, [crops.length, 3, size, size]), d = both.dims[1] / 2;
    return crops.map((_, i) => both.data.slice(i * 2 * d, i * 2 * d + d));
  }
  /** How badly the model explains each crop: the squared error of its reconstruction. */
  async function errors(places) {
    const crops = places.map(crop), codes = await encode(crops), d = codes[0].length, length = 3 * size * size;
    const flat = new Float32Array(codes.length * d);
    codes.forEach((code, i) => flat.set(code, i * d));
    const images = (await run("face_decoder", flat, [codes.length, d])).data;
    return crops.map((values, i) => values.reduce((sum, value, j) => sum + (value - images[i * length + j]) ** 2, 0));
  }
  /** Where the photo shows faces from the front, by a cascade of local binary patterns (Viola and Jones 2001). */
  function faces() {
    const shrink = Math.min(1, 360 / Math.max(photo.bitmap.width, photo.bitmap.height)), found = [];
    const [w, h] = [Math.round(photo.bitmap.width * shrink), Math.round(photo.bitmap.height * shrink)];
    const sheet = document.createElement("canvas"), paper = sheet.getContext("2d", { willReadFrequently: true });
    [sheet.width, sheet.height] = [w, h];
    paper.imageSmoothingQuality = "high";
    paper.drawImage(photo.bitmap, 0, 0, w, h);
    const { data } = paper.getImageData(0, 0, w, h), sums = new Float64Array((w + 1) * (h + 1));
    for (let y = 0; y < h; y++) for (let x = 0, row = 0; x < w; x++) {
      const from = 4 * (y * w + x);
      row += 0.299 * data[from] + 0.587 * data[from + 1] + 0.114 * data[from + 2];
      sums[(y + 1) * (w + 1) + x + 1] = sums[y * (w + 1) + x + 1] + row;
    }
    const area = (x, y, bw, bh) =>
      sums[(y + bh) * (w + 1) + x + bw] - sums[y * (w + 1) + x + bw] - sums[(y + bh) * (w + 1) + x] + sums[y * (w + 1) + x];
    for (let edge = cascade.edge; edge <= Math.min(w, h); edge *= 1.15) {
      const scale = edge / cascade.edge, step = Math.max(1, Math.round(scale));
      for (let top = 0; top + edge < h; top += step) for (let left = 0; left + edge < w; left += step) {
        if (cascade.stages.every(({ least, weak }) => {
          let votes = 0;
          for (const [[x, y, bw, bh], patterns, leaf] of weak) {
            const [a, b] = [Math.round(bw * scale), Math.round(bh * scale)];
            const [x0, y0] = [left + Math.round(x * scale), top + Math.round(y * scale)];
            if (x0 + 3 * a > w || y0 + 3 * b > h) return false;
            const middle = area(x0 + a, y0 + b, a, b);
            let code = 0;
            for (const [dx, dy] of [[0, 0], [1, 0], [2, 0], [2, 1], [2, 2], [1, 2], [0, 2], [0, 1]]) {
              code = 2 * code + (area(x0 + dx * a, y0 + dy * b, a, b) >= middle ? 1 : 0);
            }
            votes += patterns[code >> 5] & (1 << (code & 31)) ? leaf[0] : leaf[1];
          }
          return votes >= least;
        })) found.push({ x: (left + 0.5 * edge) / w, y: (top + 0.356 * edge) / h, edge: (1.42 * edge) / Math.min(w, h) });
      }
    }
    // A face is found at several places near each other: of the places with neighbours, the largest.
    const near = (one) => found.filter((other) => Math.hypot(one.x - other.x, one.y - other.y) < 0.15 * one.edge).length;
    const sure = found.filter((one) => near(one) >= 3);
    return (sure.length ? sure : found).sort((one, other) => near(other) * other.edge - near(one) * one.edge);
  }
  /** As `place_face` of the course: near the found face, the crop that the model explains best. */
  async function search() {
    const [first] = faces();
    if (!first) return false;
    let mean = [0, 0, 0], spread = [1, 1, 1], best = { score: Infinity };
    for (let round = 0; round < 4; round++) {
      const tried = Array.from({ length: 24 }, () => mean.map((value, i) => value + spread[i] * normal()));
      const places = tried.map(([right, down, larger]) => ({
        x: first.x + 0.03 * right * first.edge, y: first.y + 0.03 * down * first.edge, edge: first.edge * Math.exp(0.08 * larger),
      }));
      const scored = (await errors(places)).map((error, i) => ({
        steps: tried[i], place: places[i], score: 50 * Math.log(error) + tried[i].reduce((sum, step) => sum + step * step, 0) / 2,
      })).sort((one, other) => one.score - other.score);
      if (scored[0].score < best.score) best = scored[0];
      const good = scored.slice(0, 6).map(({ steps }) => steps);
      mean = mean.map((_, i) => good.reduce((sum, steps) => sum + steps[i], 0) / 6);
      spread = mean.map((middle, i) => Math.sqrt(good.reduce((sum, steps) => sum + (steps[i] - middle) ** 2, 0) / 5));
    }
    Object.assign(photo, best.place);
    return true;
  }
  const drawPhoto = latest(async () => {
    const canvas = by("photo"), context = canvas.getContext("2d"), { width, height } = photo.bitmap;
    [canvas.width, canvas.height] = [420, Math.round((420 * height) / width)];
    context.drawImage(photo.bitmap, 0, 0, canvas.width, canvas.height);
    const edge = (photo.edge * Math.min(width, height) * canvas.width) / width;
    context.lineWidth = 3;
    context.strokeStyle = "#fff";
    context.strokeRect(photo.x * canvas.width - edge / 2, photo.y * canvas.height - edge / 2, edge, edge);
    context.setLineDash([6, 6]);
    context.strokeStyle = "#000";
    context.strokeRect(photo.x * canvas.width - edge / 2, photo.y * canvas.height - edge / 2, edge, edge);
    by("photo-size").value = photo.edge;
    const [code] = await encode([crop(photo)]);
    await show(code);
  });
  const place = async () => {
    by("status").textContent = "Looking for the face …";
    const found = await search();
    await drawPhoto();
    by("status").textContent = found
      ? "The square lies on a face, where the model rebuilds it best."
      : "No face was found: move the square with the arrow keys and the slider.";
  };
  by("face-photo").addEventListener("change", async (event) => {
    const [file] = event.target.files;
    event.target.value = "";
    if (!file) return;
    try {
      photo.bitmap = await createImageBitmap(file, { imageOrientation: "from-image" });
    } catch {
      by("status").textContent = `${file.name} is no picture that this browser can read: take a JPEG or a PNG.`;
      return;
    }
    by("placing").hidden = false;
    await place();
  });
  by("photo-again").addEventListener("click", place);
  by("photo-size").addEventListener("input", (event) => { photo.edge = Number(event.target.value); drawPhoto(); });
  by("photo").addEventListener("keydown", (event) => {
    const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!step || !photo.bitmap) return;
    event.preventDefault();
    photo.x += 0.01 * step[0];
    photo.y += 0.01 * step[1];
    drawPhoto();
  });
  return redraw();
}

// --- Draw a digit --------------------------------------------------------------------------------------------------

function draw(about) {
  const pad = by("pad"), pencil = pad.getContext("2d", { willReadFrequently: true });
  const small = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  small.imageSmoothingQuality = "high";
  const places = { ae: [0, 0], vae: [0, 0] };
  let example = 0;

  const clear = () => { pencil.fillStyle = "#000"; pencil.fillRect(0, 0, pad.width, pad.height); };
  /** The drawing as MNIST has its digits: 20 pixels high or wide, its centre of mass in the middle of 28 × 28. */
  function digit() {
    const { data } = pencil.getImageData(0, 0, 280, 280);
    let [left, right, top, bottom, mass, mx, my] = [280, -1, 280, -1, 0, 0, 0];
    for (let y = 0; y < 280; y++) for (let x = 0; x < 280; x++) {
      const value = data[4 * (280 * y + x)];
      if (value > 40) [left, right, top, bottom] = [Math.min(left, x), Math.max(right, x), Math.min(top, y), Math.max(bottom, y)];
      mass += value; mx += value * x; my += value * y;
    }
    if (right < 0) return null;
    const scale = 20 / Math.max(right - left + 1, bottom - top + 1);
    small.canvas.width = small.canvas.height = 28;
    small.fillStyle = "#000";
    small.fillRect(0, 0, 28, 28);
    // In two steps, because browsers blur badly when they shrink much at once.
    const middle = document.createElement("canvas").getContext("2d");
    middle.canvas.width = middle.canvas.height = 112;
    middle.imageSmoothingQuality = "high";
    const s = 4 * scale;
    middle.drawImage(pad, 56 - s * (mx / mass + 0.5), 56 - s * (my / mass + 0.5), 280 * s, 280 * s);
    small.drawImage(middle.canvas, 0, 0, 28, 28);
    const pixels = small.getImageData(0, 0, 28, 28).data;
    return Float32Array.from({ length: 784 }, (_, i) => pixels[4 * i] / 255);
  }
  const bounds = {};
  for (const name of ["ae", "vae"]) {
    bounds[name] = [0, 1].map((axis) => {
      const values = about[name].map((code) => code[axis]).sort((a, b) => a - b);
      const low = values[Math.floor(0.005 * values.length)], high = values[Math.floor(0.995 * values.length) - 1];
      return [low - 0.1 * (high - low), high + 0.1 * (high - low)];
    });
  }
  const onto = (name, axis, value) => ((value - bounds[name][axis][0]) / (bounds[name][axis][1] - bounds[name][axis][0])) * 280;
  const from = (name, axis, pixel) => bounds[name][axis][0] + (pixel / 280) * (bounds[name][axis][1] - bounds[name][axis][0]);
  const backgrounds = {};
  function drawMap(name) {
    const canvas = by(`map-${name}`), context = canvas.getContext("2d");
    if (!backgrounds[name]) {
      const sheet = document.createElement("canvas");
      sheet.width = sheet.height = 280;
      const paper = sheet.getContext("2d");
      paper.font = "bold 9px sans-serif";
      about[name].forEach((code, i) => {
        paper.fillStyle = COLORS[about.labels[i]];
        paper.fillText(about.labels[i], onto(name, 0, code[0]) - 3, onto(name, 1, code[1]) + 3);
      });
      backgrounds[name] = sheet;
    }
    context.clearRect(0, 0, 280, 280);
    context.drawImage(backgrounds[name], 0, 0);
    context.lineWidth = 3;
    context.strokeStyle = ink();
    context.beginPath();
    context.arc(onto(name, 0, places[name][0]), onto(name, 1, places[name][1]), 8, 0, 7);
    context.stroke();
    if (places[`${name}-spread`]) { // the cloud that the VAE gives this digit: two standard deviations
      const [sx, sy] = places[`${name}-spread`];
      context.lineWidth = 1.5;
      context.setLineDash([4, 3]);
      context.beginPath();
      context.ellipse(onto(name, 0, places[name][0]), onto(name, 1, places[name][1]),
        2 * sx * 280 / (bounds[name][0][1] - bounds[name][0][0]), 2 * sy * 280 / (bounds[name][1][1] - bounds[name][1][0]), 0, 0, 7);
      context.stroke();
      context.setLineDash([]);
    }
  }
  const decode = Object.fromEntries(["ae", "vae"].map((name) => [name, latest(async () => {
    drawMap(name);
    paint(by(`out-${name}`), await run(`${name}_decoder`, Float32Array.from(places[name]), [1, 2]));
  })]));
  const encode = latest(async () => {
    const image = digit();
    if (!image) return;
    places.ae = Array.from((await run("ae_encoder", image, [1, 1, 28, 28])).data);
    const both = (await run("vae_encoder", image, [1, 1, 28, 28])).data;
    places.vae = [both[0], both[1]];
    places["vae-spread"] = [Math.exp(both[2] / 2), Math.exp(both[3] / 2)];
    await Promise.all([decode.ae(), decode.vae()]);
  });

  let last = null;
  const at = (event) => {
    const box = pad.getBoundingClientRect();
    return [((event.clientX - box.left) * 280) / box.width, ((event.clientY - box.top) * 280) / box.height];
  };
  pad.addEventListener("pointerdown", (event) => { last = at(event); pad.setPointerCapture(event.pointerId); });
  pad.addEventListener("pointermove", (event) => {
    if (!last) return;
    const now = at(event);
    [pencil.strokeStyle, pencil.lineWidth, pencil.lineCap] = ["#fff", 20, "round"];
    pencil.beginPath();
    pencil.moveTo(...last);
    pencil.lineTo(...now);
    pencil.stroke();
    last = now;
    encode();
  });
  for (const end of ["pointerup", "pointercancel"]) pad.addEventListener(end, () => { last = null; encode(); });
  by("pad-clear").addEventListener("click", clear);
  const show = () => {
    const picture = small.createImageData(28, 28), pixels = about.pictures[example++ % about.pictures.length];
    pixels.forEach((value, i) => picture.data.set([value, value, value, 255], 4 * i));
    small.canvas.width = small.canvas.height = 28;
    small.putImageData(picture, 0, 0);
    clear();
    pencil.drawImage(small.canvas, 0, 0, 280, 280);
    return encode();
  };
  by("pad-example").addEventListener("click", show);
  for (const name of ["ae", "vae"]) {
    const map = by(`map-${name}`);
    const move = (event) => {
      if (event.type === "pointermove" && !event.buttons) return;
      const box = map.getBoundingClientRect();
      places[name] = [from(name, 0, ((event.clientX - box.left) * 280) / box.width), from(name, 1, ((event.clientY - box.top) * 280) / box.height)];
      delete places[`${name}-spread`];
      decode[name]();
    };
    map.addEventListener("pointerdown", move);
    map.addEventListener("pointermove", move);
    map.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
      if (!step) return;
      event.preventDefault();
      places[name] = places[name].map((value, axis) => value + (step[axis] * (bounds[name][axis][1] - bounds[name][axis][0])) / 50);
      delete places[`${name}-spread`];
      decode[name]();
    });
  }
  clear();
  return show();
}

// --- Break it, and β -----------------------------------------------------------------------------------------------

async function samples(canvas, name) {
  paint(canvas, await run(name, draws(24 * 8), [24, 8]), 6);
}

function breakIt(bugs) {
  const names = Object.keys(bugs).sort(() => Math.random() - 0.5);
  let chosen = names[0];
  const redraw = latest(async () => {
    by("bug-terms").textContent = `On test digits: distortion ${bugs[chosen].distortion} nats, rate ${bugs[chosen].rate} nats per image.`;
    await samples(by("bug-samples"), `bug_${chosen}`);
  });
  names.forEach((name, i) => {
    const button = document.createElement("button");
    button.textContent = `model ${"ABCDEF"[i]}`;
    button.setAttribute("aria-pressed", String(name === chosen));
    button.addEventListener("click", () => {
      chosen = name;
      for (const other of by("patients").children) other.setAttribute("aria-pressed", String(other === button));
      for (const guess of by("guesses").querySelectorAll("input")) guess.checked = false;
      by("bug-said").textContent = "";
      redraw();
    });
    by("patients").append(button);
  });
  for (const [name, { words }] of Object.entries(bugs)) {
    const label = document.createElement("label");
    label.innerHTML = `<input type="radio" name="guess" value="${name}"> ${words}`;
    label.firstChild.addEventListener("change", () => {
      by("bug-said").textContent = name === chosen ? `✓ Right: ${words}.` : "✗ No. Look at both terms again: which of them is too small, and what do the samples lack?";
    });
    by("guesses").append(label);
  }
  by("bug-again").addEventListener("click", redraw);
  return redraw();
}

function beta(betas) {
  const slider = by("beta-slider"), chart = by("beta-chart").getContext("2d");
  const redraw = latest(async () => {
    const one = betas[slider.value];
    by("beta-value").textContent = one.beta;
    slider.setAttribute("aria-valuetext", `β = ${one.beta}`);
    by("beta-terms").textContent = `β = ${one.beta}: distortion ${one.distortion} nats, rate ${one.rate} nats per image.`;
    const x = (rate) => 50 + (rate / (1.1 * Math.max(...betas.map((b) => b.rate)))) * 250;
    const low = Math.min(...betas.map((b) => b.distortion)), high = Math.max(...betas.map((b) => b.distortion));
    const y = (distortion) => 175 - ((distortion - low) / (high - low)) * 145;
    chart.clearRect(0, 0, 320, 220);
    chart.strokeStyle = chart.fillStyle = ink();
    chart.font = "13px sans-serif";
    chart.lineWidth = 1.5;
    chart.strokeRect(42, 15, 270, 172);
    chart.fillText("rate (nats per image) →", 120, 208);
    chart.save();
    chart.rotate(-Math.PI / 2);
    chart.fillText("distortion (nats per image) →", -190, 28);
    chart.restore();
    for (const b of betas) {
      chart.beginPath();
      chart.arc(x(b.rate), y(b.distortion), b === one ? 8 : 4, 0, 7);
      b === one ? chart.fill() : chart.stroke();
      chart.fillText(`β=${b.beta}`, Math.min(x(b.rate) + 10, 268), y(b.distortion) - 6);
    }
    await samples(by("beta-samples"), one.file.replace(".onnx", ""));
  });
  slider.addEventListener("input", redraw);
  return redraw();
}

// --- Begin ---------------------------------------------------------------------------------------------------------

try {
  const [faces, about] = await Promise.all(["faces", "digits"].map(async (name) => (await fetch(here(`${name}.json`))).json()));
  await smile(faces);
  by("status").textContent = "";
  await draw(about.digits);
  await breakIt(about.bugs);
  await beta(about.betas);
  document.body.dataset.ready = "yes";
} catch (error) {
  by("status").textContent = `The models could not be loaded (${error.message}). Open this page from a web server, for example with: python -m http.server`;
  throw error;
}
