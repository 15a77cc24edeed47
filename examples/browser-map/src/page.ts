/** The page: files in, a map out. All work is done by the worker; this only shows it. */

import { TaskFailure, startWorker } from "./client.ts";
import { MapView } from "./map-view.ts";
import type { ClassSummary, MapSummary, SceneSummary } from "./messages.ts";

const ask = startWorker(new URL("worker.js", import.meta.url));

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const [modelFile, sceneFile, labelFile] = ["model-file", "scene-file", "label-file"].map((id) => element<HTMLInputElement>(id)) as [
  ...[HTMLInputElement, HTMLInputElement, HTMLInputElement],
];
const buttons = {
  classify: element<HTMLButtonElement>("classify"),
  train: element<HTMLButtonElement>("train"),
  saveMap: element<HTMLButtonElement>("save-map"),
  saveModel: element<HTMLButtonElement>("save-model"),
};
const opacity = element<HTMLInputElement>("opacity");
const overlap = element<HTMLInputElement>("overlap");
const view = new MapView(element<HTMLCanvasElement>("map"), showPosition);

let classes: readonly ClassSummary[] = [];
let scene: SceneSummary | null = null;
let map: MapSummary | null = null;
let busy = 0;

const number = (value: number, digits = 0): string => value.toLocaleString("en", { maximumFractionDigits: digits });
const seconds = (value: number): string => `${number(value, value < 10 ? 1 : 0)} s`;

function tell(id: string, text: string): void {
  element(id).textContent = text;
}

/** Buttons can be pressed when there is something to do and nothing is being done. */
function refresh(): void {
  const idle = busy === 0;
  buttons.classify.disabled = !(idle && classes.length > 0 && scene !== null);
  buttons.train.disabled = !(idle && classes.length > 0 && scene !== null && labelFile.files!.length > 0);
  buttons.saveMap.disabled = !(idle && map !== null);
  buttons.saveModel.disabled = !(idle && classes.length > 0);
  for (const input of [modelFile, sceneFile, labelFile]) input.disabled = !idle;
  document.body.classList.toggle("busy", !idle);
}

type Work = (progress: (done: number, total: number) => void) => Promise<void>;

/** Does one piece of work; what goes wrong is told on the page. */
function working(what: string, work: Work): void {
  void doWork(what, work);
}

async function doWork(what: string, work: Work): Promise<void> {
  const bar = element<HTMLProgressElement>("progress");
  busy++;
  refresh();
  element("failure").hidden = true;
  tell("state", what);
  bar.removeAttribute("value");
  try {
    await work((done, total) => {
      bar.max = total;
      bar.value = done;
      tell("state", `${what} ${number(done)} of ${number(total)}`);
    });
    tell("state", "Ready");
  } catch (error) {
    tell("state", "Stopped");
    const message = error instanceof Error ? error.message : String(error);
    tell("failure-message", message.charAt(0).toUpperCase() + message.slice(1));
    tell("failure-hint", (error instanceof TaskFailure ? error.hint : null) ?? "");
    element("failure").hidden = false;
  } finally {
    busy--;
    bar.value = 0;
    refresh();
  }
}

function showLegend(): void {
  const total = map === null ? 0 : [...map.pixels.values()].reduce((sum, pixels) => sum + pixels, 0);
  const area = scene?.transform === null || scene === null ? null : Math.abs(scene.transform[0] * scene.transform[4] - scene.transform[1] * scene.transform[3]); // prettier-ignore
  const rows = classes.map(({ value, name, color }) => {
    const pixels = map?.pixels.get(value) ?? 0;
    const row = document.createElement("li");
    const swatch = document.createElement("span");
    swatch.className = "swatch";
    swatch.style.backgroundColor = `rgb(${color.join(" ")})`;
    const label = document.createElement("span");
    label.textContent = name;
    const share = document.createElement("span");
    share.className = "share";
    share.textContent = map === null || total === 0 ? "" : `${number((100 * pixels) / total, 1)} %`;
    if (map !== null) row.title = `${number(pixels)} pixels${area === null ? "" : `, ${number(pixels * area)} square units of the map`}`;
    row.append(swatch, label, share);
    return row;
  });
  element("legend").replaceChildren(...rows);
  element("legend-panel").hidden = classes.length === 0;
}

function showPosition(position: readonly [number, number] | null): void {
  if (position === null || scene === null) {
    tell("position", "");
    return;
  }
  const [x, y] = position;
  const [col, row] = [Math.floor(x), Math.floor(y)];
  const t = scene.transform;
  const world =
    t === null ? `column ${col}, row ${row}` : `${(t[0] * x + t[1] * y + t[2]).toFixed(1)}, ${(t[3] * x + t[4] * y + t[5]).toFixed(1)}`;
  const value = map?.values[row * map.width + col];
  const name = value === undefined ? "" : (classes.find((each) => each.value === value)?.name ?? "no data");
  tell("position", name === "" ? world : `${world} · ${name}`);
}

function showLosses(losses: readonly number[]): void {
  const [low, high] = [Math.min(...losses), Math.max(...losses)];
  const points = losses.map((loss, i) => `${(100 * i) / Math.max(1, losses.length - 1)},${28 - (24 * (loss - low)) / (high - low || 1)}`);
  element("loss-line").setAttribute("points", points.join(" "));
  element("losses").hidden = false;
}

function save(bytes: Uint8Array, name: string, type: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([bytes as BlobPart], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

const stem = (name: string): string => name.replace(/\.[^.]*$/, "");

modelFile.addEventListener("change", () =>
  working("Opening the model", async () => {
    const model = await ask("openModel", { file: modelFile.files![0]! });
    classes = model.classes;
    map = null;
    tell("model-name", model.name);
    tell("model-about", `${model.modelType}, ${number(model.parameters)} parameters, bands ${model.bandNames.join(", ")}`);
    overlap.value = String(Math.floor(Math.min(...model.chipSize) / 2));
    showLegend();
  }),
);

sceneFile.addEventListener("change", () =>
  working("Opening the scene", async () => {
    scene = await ask("openScene", { file: sceneFile.files![0]! });
    map = null;
    await view.showScene(scene.picture, scene.width, scene.height);
    element("empty").hidden = true;
    element("show-all").hidden = false;
    tell("scene-name", scene.name);
    const size = `${number(scene.width)} × ${number(scene.height)} pixels, ${scene.bands} bands of ${scene.sampleType}`;
    tell("scene-about", `${size}, ${scene.crs ?? "no reference system"}`);
    showLegend();
  }),
);

labelFile.addEventListener("change", () => {
  tell("label-name", labelFile.files![0]?.name ?? "");
  refresh();
});

buttons.classify.addEventListener("click", () =>
  working("Classifying, window", async (progress) => {
    map = await ask("classify", { overlap: Number(overlap.value) }, progress);
    await view.showClasses(map, classes);
    showLegend();
    tell("map-about", `${number(map.windows)} windows in ${seconds(map.seconds)}`);
  }),
);

buttons.train.addEventListener("click", () =>
  working("Training, step", async (progress) => {
    const options = {
      steps: Number(element<HTMLInputElement>("steps").value),
      learningRate: Number(element<HTMLInputElement>("rate").value),
    };
    const trained = await ask("train", { labels: labelFile.files![0]!, ...options }, progress);
    showLosses(trained.losses);
    const [first, last] = [trained.losses[0]!, trained.losses[trained.losses.length - 1]!];
    tell(
      "train-about",
      `Loss ${first.toFixed(3)} → ${last.toFixed(3)} in ${seconds(trained.seconds)}. Classify again to see what it changed.`,
    );
  }),
);

buttons.saveMap.addEventListener("click", () =>
  working("Writing the map", async () => save(await ask("encodeMap", {}), `${stem(scene!.name)}-classes.tif`, "image/tiff")),
);

buttons.saveModel.addEventListener("click", () =>
  working("Writing the model", async () => save(await ask("encodeModel", {}), "trained.dlpk", "application/zip")),
);

opacity.addEventListener("input", () => {
  view.opacity = Number(opacity.value) / 100;
  view.draw();
});

element("show-all").addEventListener("click", () => view.fit());

working("Starting the engine", async () => {
  const wanted = new URLSearchParams(location.search).get("device");
  const device = wanted === "cpu" || wanted === "webgpu" ? wanted : "auto";
  const engine = await ask("start", { device, assets: new URL("onnxruntime/", location.href).href });
  const where = engine.device === "webgpu" ? "WebGPU" : `WebAssembly, ${engine.threads} thread${engine.threads === 1 ? "" : "s"}`;
  tell("engine", where);
  const passedOver = engine.passedOver.map(({ device: other, reason }) => `${other}: ${reason}`);
  element("engine").title = [`ONNX Runtime ${engine.version}`, ...passedOver].join("\n");
});
