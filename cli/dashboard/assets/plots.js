// Draws the curves of a run with uPlot: as many points as there are pixels, fetched anew when there are new ones.
"use strict";
(() => {
  const box = document.getElementById("plots");
  if (!box) return;
  const drawn = new Map();
  const zoom = { first: null, last: null };
  let tag = "";
  let busy = false;
  let seen = null;

  // Colours and words

  const probe = document.createElement("span");
  probe.hidden = true;
  document.body.append(probe);
  function ink(name) {
    probe.className = `ink-${name}`;
    return getComputedStyle(probe).color;
  }
  const round = (value) => (value == null ? "" : Math.abs(value) >= 1e4 ? Math.round(value).toLocaleString("en") : value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential(3) : String(Number(value.toPrecision(4))));
  const count = (value) => (value == null ? "" : Math.round(value).toLocaleString("en"));
  const short = (value) => (Math.abs(value) >= 1e6 ? `${value / 1e6}M` : Math.abs(value) >= 1e4 ? `${value / 1e3}k` : value !== 0 && Math.abs(value) < 1e-3 ? value.toExponential() : String(Number(value.toPrecision(6))));

  // Asking

  const which = () => document.getElementById("training");
  function address() {
    const pieces = Math.round(box.clientWidth * Math.min(devicePixelRatio, 2) / 2);
    const asked = new URLSearchParams({ pieces });
    if (which()) asked.set("training", which().value);
    if (zoom.first !== null) {
      asked.set("first", zoom.first);
      asked.set("last", zoom.last);
    }
    return `${box.dataset.curves}?${asked}`;
  }

  async function look() {
    if (busy || box.clientWidth < 50) return;
    busy = true;
    const asked = address();
    try {
      const answer = await fetch(asked, { headers: tag && tag.asked === asked ? { "If-None-Match": tag.tag } : {} });
      if (answer.ok) {
        tag = { asked, tag: answer.headers.get("etag") };
        seen = await answer.json();
        draw();
        window.contact.heard();
      } else if (answer.status !== 304) window.contact.lost(window.contact.refused(answer.status));
    } catch {
      window.contact.lost("the dashboard does not answer");
    } finally {
      busy = false;
      if (asked !== address()) look();
    }
  }

  // Drawing

  function marks(plot) {
    const { ctx, bbox } = plot;
    const line = (step, colour, top, dash) => {
      const x = Math.round(plot.valToPos(step, "x", true)) + 0.5;
      if (x < bbox.left || x > bbox.left + bbox.width) return;
      ctx.strokeStyle = colour;
      ctx.setLineDash(dash);
      ctx.beginPath();
      ctx.moveTo(x, top);
      ctx.lineTo(x, bbox.top + bbox.height);
      ctx.stroke();
    };
    ctx.save();
    ctx.lineWidth = devicePixelRatio;
    for (const step of seen.restarts) line(step, ink("fault"), bbox.top, [4 * devicePixelRatio, 4 * devicePixelRatio]);
    for (const step of seen.saves) line(step, ink("save"), bbox.top + bbox.height - 7 * devicePixelRatio, []);
    ctx.restore();
  }

  function options(figure, isLoss) {
    const axis = { stroke: () => ink("axis"), grid: { stroke: () => ink("grid"), width: 1 }, ticks: { show: false }, font: "11px system-ui, sans-serif" };
    return {
      width: figure.clientWidth, height: isLoss ? 280 : 180,
      cursor: { sync: { key: "run" }, drag: { x: true, y: false, setScale: false }, points: { size: 6 } },
      scales: { x: { time: false } },
      axes: [
        { ...axis, size: 26, gap: 4, values: (_, all) => all.map(short), incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 2e5, 5e5, 1e6] },
        { ...axis, size: 54, gap: 4, values: (_, all) => all.map(short) },
      ],
      series: [
        { label: "step", value: (_, value) => count(value) },
        { label: isLoss ? "batch" : "value", stroke: () => ink(isLoss ? "raw" : "smooth"), width: isLoss ? 1 : 1.5, points: { show: false }, value: (_, value) => round(value) },
        ...(isLoss ? [{ label: "smoothed", stroke: () => ink("smooth"), width: 2, points: { show: false }, value: (_, value) => round(value) }] : []),
      ],
      hooks: { draw: [marks], setSelect: [chosen], setCursor: [idle] },
    };
  }

  // Where nobody points, the legend says what is newest.
  function idle(plot) {
    if (plot.cursor.idx == null && plot.data[0].length) plot.setLegend({ idx: plot.data[0].length - 1 }, false);
  }

  function chosen(plot) {
    if (plot.select.width < 8) return;
    zoom.first = Math.floor(plot.posToVal(plot.select.left, "x"));
    zoom.last = Math.ceil(plot.posToVal(plot.select.left + plot.select.width, "x"));
    plot.setSelect({ left: 0, width: 0, top: 0, height: 0 }, false);
    look();
  }

  function draw() {
    let any = false;
    for (const figure of box.querySelectorAll(".plot")) {
      const curve = seen.curves[figure.dataset.name];
      figure.hidden = !curve || !curve.x.length;
      if (figure.hidden) continue;
      any = true;
      drawOne(figure, curve);
    }
    box.querySelector(".empty").hidden = any;
    box.dataset.points = seen.points;
  }

  function drawOne(figure, curve) {
    const name = figure.dataset.name;
    const place = figure.querySelector(".canvas");
    const isLoss = name === "loss";
    const data = isLoss ? [curve.x, curve.y, curve.smooth] : [curve.x, curve.y];
    let plot = drawn.get(name);
    if (plot) plot.setData(data);
    else {
      plot = new uPlot(options(place, isLoss), data, place);
      plot.over.addEventListener("dblclick", () => { zoom.first = zoom.last = null; look(); });
      drawn.set(name, plot);
    }
    fit(plot, place);
    idle(plot);
    const last = curve.x.length - 1;
    const words = `${figure.querySelector("figcaption").textContent}: ${round(curve.y[0])} at step ${count(curve.x[0])}, ${round(curve.y[last])} at step ${count(curve.x[last])}`;
    place.setAttribute("aria-label", words);
  }

  function fit(plot, place) {
    if (place.clientWidth && place.clientWidth !== plot.width) plot.setSize({ width: place.clientWidth, height: plot.height });
  }

  new ResizeObserver(() => {
    drawn.forEach((plot, name) => fit(plot, box.querySelector(`[data-name=${name}] .canvas`)));
    look();
  }).observe(box);

  if (which()) which().addEventListener("change", () => { zoom.first = zoom.last = null; look(); });
  window.plots = { look, repaint: () => drawn.forEach((plot) => plot.redraw(false)) };
})();
