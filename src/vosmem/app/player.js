// Continues canvas.js: buttons and keys, playing, and the part of the frame that is seen.
const stage = find(".stage"), frame = find(".frame"), playButton = find("[data-do=play]");
let playing = false, due = 0; // time of the next frame
const seen = { scale: 1, x: 0, y: 0 };
const LARGEST = 12; // scale

function go(t) {
  const kept = Math.min(Math.max(t, 0), shown.count - 1);
  if (!shown.locked && kept !== shown.t) trigger("go", { t: kept });
}

function play(on) {
  playing = on && !shown.locked && shown.count > 1;
  playButton.textContent = playing ? "Pause" : "Play";
  if (!playing) return;
  due = performance.now() + 1000 / shown.rate;
  go(shown.t + 1 < shown.count ? shown.t + 1 : 0);
}

image.addEventListener("load", () => {
  if (!playing) return;
  if (shown.locked || shown.t + 1 === shown.count) play(false);
  else setTimeout(() => playing && play(true), Math.max(0, due - performance.now()));
});

function look(scale, x, y) {
  seen.scale = Math.min(Math.max(scale, 1), LARGEST);
  const box = frame.getBoundingClientRect();
  seen.x = Math.min(Math.max(x, box.width * (1 - seen.scale)), 0);
  seen.y = Math.min(Math.max(y, box.height * (1 - seen.scale)), 0);
  stage.style.transform = `translate(${seen.x}px, ${seen.y}px) scale(${seen.scale})`;
  if (shown && !stroke) sketch();
}

// Magnifies around a point of the window, by default the middle of the frame.
function zoom(factor, clientX, clientY) {
  const box = frame.getBoundingClientRect();
  const x = (clientX ?? box.left + box.width / 2) - box.left, y = (clientY ?? box.top + box.height / 2) - box.top;
  const ratio = Math.min(Math.max(seen.scale * factor, 1), LARGEST) / seen.scale;
  look(seen.scale * ratio, x - (x - seen.x) * ratio, y - (y - seen.y) * ratio);
}

frame.addEventListener("wheel", (event) => {
  if (event.deltaY > 0 && seen.scale === 1) return; // the page scrolls
  event.preventDefault();
  zoom(Math.exp(-event.deltaY / 400), event.clientX, event.clientY);
}, { passive: false });

// Two fingers, the middle button, or Shift and a button move the frame.
const pointers = new Map();
const middle = (own) => own.reduce(([x, y], point) => [x + point[0] / own.length, y + point[1] / own.length], [0, 0]);
const spread = (own) => (own.length < 2 ? 1 : Math.hypot(own[0][0] - own[1][0], own[0][1] - own[1][1]) || 1);
frame.addEventListener("pointerdown", (event) => {
  if (event.pointerType !== "touch" && event.button !== 1 && !event.shiftKey) return;
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  if (event.pointerType !== "touch") frame.setPointerCapture(event.pointerId);
  if (pointers.size > 1) cancel();
});
frame.addEventListener("pointermove", (event) => {
  if (!pointers.has(event.pointerId)) return;
  const before = [...pointers.values()];
  pointers.set(event.pointerId, [event.clientX, event.clientY]);
  if (event.pointerType === "touch" && pointers.size < 2) return;
  const after = [...pointers.values()], [x, y] = middle(after), [oldX, oldY] = middle(before);
  look(seen.scale, seen.x + x - oldX, seen.y + y - oldY);
  zoom(spread(after) / spread(before), x, y);
});
for (const name of ["pointerup", "pointercancel"]) frame.addEventListener(name, (event) => pointers.delete(event.pointerId));

const ACTIONS = {
  undo: () => trigger("undo", { t: shown.t }),
  clear: () => trigger("clear", { t: shown.t }),
  back: () => go(shown.t - 1),
  on: () => go(shown.t + 1),
  play: () => play(!playing),
  larger: () => zoom(1.5),
  smaller: () => zoom(1 / 1.5),
  fit: () => look(1, 0, 0),
};

element.addEventListener("click", (event) => {
  const button = event.target.closest("button");
  if (!button || !shown) return;
  if (button.dataset.do) {
    const moves = button.closest(".tools") === null;
    if (moves || !shown.locked) ACTIONS[button.dataset.do]();
  } else if (button.dataset.tool) {
    tool = button.dataset.tool;
    editor.classList.toggle("painting", tool === "brush" || tool === "erase");
    press(element.querySelectorAll("[data-tool]"), button);
  } else if (button.dataset.object) {
    chosen = Number(button.dataset.object);
    press(chips.children, button);
    showName();
    sketch();
  }
});

document.addEventListener("keydown", function onKey(event) {
  if (!element.isConnected) return document.removeEventListener("keydown", onKey);
  const { target } = event, isUndo = event.key === "z" && (event.ctrlKey || event.metaKey);
  if (!shown || event.altKey || ((event.ctrlKey || event.metaKey) && !isUndo)) return;
  const isArrow = event.key.startsWith("Arrow"), isPress = event.key === " " || event.key === "Enter";
  if (target.matches("textarea, select, [contenteditable], input:not([type=range])")) return;
  if ((target.matches("input") && isArrow) || (target.closest("button, a, summary") && isPress)) return;
  const key = event.key === "=" ? "+" : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const isDigit = key >= "1" && key <= "9" && key.length === 1;
  const button = isDigit ? chips.children[key - 1] : find(`[data-key="${CSS.escape(key)}"]`);
  if (!button) return;
  event.preventDefault();
  button.click();
});
press(element.querySelectorAll("[data-tool]"), find("[data-tool=on]"));
watch("value", show);
show();
