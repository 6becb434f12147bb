// Charts of the last hour: a figure with a legend that says in words what the canvas shows.
import { keyed, make, setAttribute, setText } from './dom.js';
import { clock, integer, minutes } from './format.js';

const { Chart } = window;
Chart.defaults.animation = false;
Chart.defaults.font.family = 'system-ui, sans-serif';
Chart.defaults.font.size = 11;

const drawn = new Set();
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
const dashes = { solid: [], dashed: [6, 3], dotted: [2, 3] };

// When somebody switches between light and dark, canvases do not follow by themselves.
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => drawn.forEach((each) => each.paint()));

// A line from top to bottom for each event, with the number that it has in the list below the charts.
const marks = {
  id: 'marks',
  afterDatasetsDraw(chart) {
    const { ctx, chartArea: area, scales: { x } } = chart;
    let free = -Infinity;
    ctx.save();
    ctx.strokeStyle = color('mark');
    ctx.fillStyle = color('muted');
    ctx.font = '10px system-ui, sans-serif';
    ctx.textAlign = 'center';
    ctx.setLineDash([3, 3]);
    for (const { at, label } of chart.marks ?? []) {
      const place = x.getPixelForValue(at);
      if (place < area.left || place > area.right) continue;
      ctx.beginPath();
      ctx.moveTo(place, area.top);
      ctx.lineTo(place, area.bottom);
      ctx.stroke();
      // numbers that would lie on each other are left out; the lines stay
      if (place < free) continue;
      ctx.fillText(label, place, area.top - 3);
      free = place + 12;
    }
    ctx.restore();
  },
};

// Ticks at full minutes, as many as there is room for.
function clockTicks(scale) {
  const room = scale.chart.width / 70;
  const step = [60, 120, 300, 600, 900].find((each) => (scale.max - scale.min) / each <= room) ?? 1800;
  const ticks = [];
  for (let at = Math.ceil(scale.min / step) * step; at <= scale.max; at += step) ticks.push({ value: at });
  scale.ticks = ticks;
}

function options(text, stacked, whole) {
  return {
    responsive: true,
    maintainAspectRatio: false,
    parsing: false,
    normalized: true,
    layout: { padding: { top: 14 } },
    interaction: { mode: 'index', intersect: false },
    elements: { point: { radius: 0, hoverRadius: 3 }, line: { borderWidth: 1.75 } },
    scales: {
      x: { type: 'linear', offset: false, stacked, afterBuildTicks: clockTicks, grid: { display: false },
        ticks: { maxRotation: 0, autoSkip: false, callback: minutes } },
      y: { stacked, beginAtZero: true, ticks: { maxTicksLimit: 5, precision: whole ? 0 : undefined, callback: text } },
    },
    plugins: {
      legend: { display: false },
      tooltip: { callbacks: {
        title: (items) => (items.length === 0 ? '' : clock(items[0].parsed.x)),
        label: (item) => `${item.dataset.label}: ${text(item.parsed.y)}`,
      } },
    },
  };
}

// Lines: [{ label, color, dash? }]. With `bars` they are stacked bars.
export class HourChart {
  constructor(figure, { title, text, lines, bars = false }) {
    this.lines = lines;
    this.title = title;
    this.canvas = make('canvas', { role: 'img' });
    this.legend = make('ul', { class: 'legend' });
    figure.append(make('figcaption', {}, title), make('div', { class: 'canvas' }, this.canvas), this.legend);
    this.chart = new Chart(this.canvas, {
      type: bars ? 'bar' : 'line',
      data: { datasets: lines.map(({ label }) => ({ label, data: [], barPercentage: 1, categoryPercentage: 0.9 })) },
      options: options(text, bars, text === integer),
      plugins: [marks],
    });
    drawn.add(this);
    this.paint();
  }

  paint() {
    const { scales } = this.chart.options;
    this.lines.forEach((line, index) => {
      Object.assign(this.chart.data.datasets[index], {
        borderColor: color(line.color),
        backgroundColor: color(line.color),
        borderDash: dashes[line.dash ?? 'solid'],
      });
    });
    for (const axis of [scales.x, scales.y]) axis.ticks.color = color('muted');
    scales.y.grid = { color: color('grid') };
    this.chart.update();
  }

  // `points`: per line [{ x, y }]; `notes`: per line what the legend says of it; `events`: [{ at, label }].
  update({ points, notes, start, end, events }) {
    points.forEach((data, index) => { this.chart.data.datasets[index].data = data; });
    Object.assign(this.chart.options.scales.x, { min: start, max: end });
    this.chart.marks = events;
    this.chart.update();
    this.tell(notes);
  }

  tell(notes) {
    const create = (line) => make('li', {},
      make('span', { class: `swatch ${line.color} ${line.dash ?? 'solid'}`, 'aria-hidden': 'true' }),
      make('span', {}, line.label), ' ', make('b'));
    keyed(this.legend, this.lines, (line) => line.label, create, (item, line) => {
      setText(item.lastElementChild, notes[this.lines.indexOf(line)]);
    });
    const told = this.lines.map(({ label }, index) => `${label} ${notes[index]}`);
    setAttribute(this.canvas, 'aria-label', `${this.title}, the last hour: ${told.join('; ')}`);
  }
}

// A line without axes.
export class Sparkline {
  constructor(host) {
    const canvas = make('canvas', { 'aria-hidden': 'true' });
    host.append(canvas);
    this.chart = new Chart(canvas, {
      type: 'line',
      data: { datasets: [{ data: [], borderWidth: 1.25, fill: true }] },
      options: {
        responsive: true,
        maintainAspectRatio: false,
        parsing: false,
        normalized: true,
        events: [],
        elements: { point: { radius: 0 } },
        layout: { padding: { top: 2 } },
        scales: { x: { type: 'linear', display: false }, y: { display: false, beginAtZero: true, suggestedMax: 1 } },
        plugins: { legend: { display: false }, tooltip: { enabled: false } },
      },
    });
    drawn.add(this);
    this.paint();
  }

  paint() {
    Object.assign(this.chart.data.datasets[0], { borderColor: color('spark'), backgroundColor: color('spark-fill') });
    this.chart.update();
  }

  update(points, start, end) {
    this.chart.data.datasets[0].data = points;
    Object.assign(this.chart.options.scales.x, { min: start, max: end });
    this.chart.update();
  }
}
