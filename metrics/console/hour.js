// The charts of the last hour, and the events marked in them.
import { HourChart } from './charts.js';
import { byId, keyed, make, setText } from './dom.js';
import { integer, moment, perSecond, share, words } from './format.js';

const charts = new Map();

function chart(id, details) {
  if (!charts.has(id)) charts.set(id, new HourChart(byId(id), details));
  return charts.get(id);
}

const sum = (values) => values.reduce((all, value) => all + (value ?? 0), 0);
const percent = (y) => share(y, 1);

// The steps of the last minute at each step: a single step of ten seconds says little about a quiet server.
function perMinute(values, hour) {
  const window = Math.round(60 / hour.step);
  return values.map((value, index) => (value === null ? null : sum(values.slice(Math.max(0, index - window + 1),
    index + 1))));
}

// The same, by the time that the steps which are known took.
function ratePerSecond(values, hour) {
  const known = perMinute(values.map((value) => (value === null ? null : hour.step)), hour);
  return perMinute(values, hour).map((n, index) => (n === null ? null : n / known[index]));
}

const timeOf = (hour, index) => hour.end - (hour.steps - 1 - index) * hour.step;
const points = (values, hour) => values.map((y, index) => ({ x: timeOf(hour, index), y }));

// One bar per minute, in its middle.
export function minuteBars(values, hour) {
  const window = Math.round(60 / hour.step);
  const bars = [];
  for (let first = 0; first < values.length; first += window) {
    const at = timeOf(hour, first + window - 1) - 30;
    bars.push({ x: at, y: sum(values.slice(first, first + window)) });
  }
  return bars;
}

// The hour; of a young process what there is, but at least five minutes.
export function range(hour) {
  const known = hour.of('sessions').filter((n) => n !== null).length * hour.step;
  return { start: hour.end - Math.min(3600, Math.max(300, known)), end: hour.end };
}

const statuses = [
  { label: 'NO', color: 'no' },
  { label: 'BAD', color: 'bad', dash: 'dashed' },
  { label: 'BYE', color: 'bye', dash: 'dotted' },
];

function rates(hour, events) {
  const values = statuses.map(({ label }) => ratePerSecond(hour.of(label), hour));
  chart('chart-rates', { title: 'NO, BAD and BYE per second', text: perSecond, lines: statuses }).update({
    ...range(hour), events,
    points: values.map((line) => points(line, hour)),
    notes: statuses.map(({ label }, index) => {
      return `${perSecond(values[index].at(-1) ?? 0)} now, ${integer(hour.total(label))} in the hour`;
    }),
  });
}

// Of all sessions that were open in the minute, so that it is never above the whole.
function unaskedByes(hour) {
  const byes = ['greeting', 'inactivity', 'shutdown'].map((reason) => perMinute(hour.of(`bye.${reason}`), hour));
  const accepted = perMinute(hour.of('accepted'), hour);
  const open = hour.of('sessions');
  const window = Math.round(60 / hour.step);
  return accepted.map((n, index) => {
    const all = n + (open[Math.max(0, index - window)] ?? 0);
    return n === null || all === 0 ? null : Math.min(1, sum(byes.map((each) => each[index])) / all);
  });
}

function ratios(hour, events) {
  const tagged = perMinute(hour.of('tagged'), hour);
  const ofTagged = (name) => perMinute(hour.of(name), hour).map((n, index) => tagged[index] ? n / tagged[index] : null);
  const lines = [
    { label: 'NO of tagged answers', color: 'no' },
    { label: 'BAD of tagged answers', color: 'bad', dash: 'dashed' },
    { label: 'unasked BYE of sessions', color: 'bye', dash: 'dotted' },
  ];
  const values = [ofTagged('NO'), ofTagged('BAD'), unaskedByes(hour)];
  const byes = hour.total('bye.greeting') + hour.total('bye.inactivity') + hour.total('bye.shutdown');
  const notes = [
    share(hour.total('NO'), hour.total('tagged')),
    share(hour.total('BAD'), hour.total('tagged')),
    share(byes, hour.total('accepted') + (hour.of('sessions').find((n) => n !== null) ?? 0)),
  ];
  chart('chart-ratios', { title: 'NO, BAD and BYE as a share', text: percent, lines }).update({
    ...range(hour), events, points: values.map((line) => points(line, hour)),
    notes: notes.map((note) => `${note} in the hour`),
  });
}

// Stacked bars of named series.
function bars(id, title, lines, names, hour, events) {
  chart(id, { title, text: integer, lines, bars: true }).update({
    ...range(hour), events,
    points: names.map((name) => minuteBars(hour.of(name), hour)),
    notes: names.map((name) => `${integer(hour.total(name))} in the hour`),
  });
}

function sessions(hour, events) {
  const lines = [{ label: 'open', color: 'spark' }];
  const open = hour.of('sessions');
  chart('chart-sessions', { title: 'Open sessions', text: integer, lines }).update({
    ...range(hour), events, points: [points(open, hour)],
    notes: [`${integer(open.at(-1) ?? 0)} now, at most ${integer(Math.max(0, ...open))}`],
  });
}

const parties = ['server', 'network', 'imapmeter', 'client', 'policy'];
const reasons = ['logout', 'greeting', 'inactivity', 'shutdown'];

// `inHour`: the events of the hour, numbered from the latest.
export function showHour(hour, inHour) {
  const events = inHour.map(({ at }, index) => ({ at, label: String(index + 1) })).reverse();
  rates(hour, events);
  ratios(hour, events);
  bars('chart-logins', 'Logins per minute', [{ label: 'succeeded', color: 'good' }, { label: 'failed', color: 'cut' }],
    ['login_success', 'login_failed'], hour, events);
  sessions(hour, events);
  bars('chart-failures', 'Failures per minute', parties.map((label) => ({ label, color: `party-${label}` })),
    parties.map((party) => `failures.${party}`), hour, events);
  bars('chart-bye', 'BYE per minute', reasons.map((label) => ({ label, color: `bye-${label}` })),
    reasons.map((reason) => `bye.${reason}`), hour, events);
}

const eventNames = {
  start: 'imapmeter started',
  drain: 'imapmeter is being stopped',
  server_up: 'server up',
  server_down: 'server down',
  capabilities: 'server’s capabilities changed',
  limit: 'a limit was met for the first time',
};

function tell(event) {
  if (event.event === 'verdict') return `verdict: ${event.sentence}`;
  const { event: what, time_ms: _time, ...members } = event;
  const details = Object.entries(members).filter(([, value]) => value.length !== 0)
    .map(([key, value]) => `${words(key)} ${[value].flat().join(' ')}`);
  return [eventNames[what] ?? words(what), ...details].join(', ');
}

// Those of the hour, the latest first.
export function eventsOf(hour, events) {
  const { start } = range(hour);
  return events.map((event) => ({ at: event.time_ms / 1000, text: tell(event) })).filter(({ at }) => at >= start);
}

export function showEvents(inHour) {
  byId('marks-none').hidden = inHour.length !== 0;
  byId('marks-list').hidden = inHour.length === 0;
  const create = () => make('li', {}, make('time'), ' ', make('span'));
  keyed(byId('marks'), inHour, ({ at, text }) => `${at} ${text}`, create, (item, { at, text }) => {
    setText(item.firstElementChild, moment(at));
    setText(item.lastElementChild, text);
  });
}
