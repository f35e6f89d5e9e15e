// The map of the features: drawn by plotly, which is loaded when the map is first shown.
const COLOURS = ["#2a7de1", "#e1662a", "#1a8a3a", "#b02ae1", "#c2a000", "#00a0a8", "#c2224e", "#777", "#7a4a1e", "#4a57d0"];

export async function drawMap(plot, { x, y, labels }, classes, chosen) {
  await loaded();
  // A trace for each class, so that the legend switches classes; `customdata` are the images.
  const traces = classes.map((one, code) => ({
    type: "scattergl", mode: "markers", name: one.shown, x: [], y: [], customdata: [],
    marker: { size: x.length > 5000 ? 3 : 6, color: COLOURS[code % COLOURS.length] },
    hoverinfo: "name",
  }));
  for (let n = 0; n < x.length; n++) {
    const trace = traces[labels[n]];
    if (trace) { trace.x.push(x[n]); trace.y.push(y[n]); trace.customdata.push(n); }
  }
  const axis = () => ({ visible: false, range: [-0.03, 1.03] });
  const layout = { margin: { l: 0, r: 0, t: 0, b: 0 }, xaxis: axis(), yaxis: axis(), dragmode: "lasso",
    legend: { orientation: "h", y: 0 }, paper_bgcolor: "transparent", plot_bgcolor: "transparent" };
  const options = { responsive: true, displaylogo: false, scrollZoom: true,
    modeBarButtonsToRemove: ["toImage", "autoScale2d"] };
  await Plotly.newPlot(plot, traces, layout, options);
  plot.on("plotly_selected", (event) => event && chosen(new Set(event.points.map((p) => p.customdata))));
  plot.on("plotly_deselect", () => chosen(null));
}

function loaded() {
  if (window.Plotly) return Promise.resolve();
  return new Promise((resolve, reject) => {
    const script = document.createElement("script");
    script.src = "plotly.min.js";
    script.onload = resolve;
    script.onerror = () => reject(new Error("plotly.min.js was not found"));
    document.head.append(script);
  });
}
