// Open sessions by state and one by one, and how connections ended.
import { byId, facts, setText } from './dom.js';
import { integer, octets, span, words } from './format.js';
import { closeReasons } from './endings.js';
import { table } from './tables.js';

const shownAtMost = 250;
const states = {
  connecting: 'no greeting yet', not_authenticated: 'before login', authenticated: 'after login',
  selected: 'in a mailbox', idle: 'waiting for news', logout: 'leaving', opaque: 'no longer read',
};

export function showStates(view) {
  facts(byId('states'), Object.entries(states).map(([state, note]) => {
    return { name: words(state), value: view.sessions[state], note,
      series: view.series('imapmeter_sessions', { state }) };
  }));
}

const text = (title, value, kind = 'text') => ({ title, kind, value });
const number = (title, value) => ({ title, kind: 'number', value });
const size = (title, value) => ({ title, kind: 'number', value, text: (row) => octets(value(row)) });

const columns = [
  text('Session', (row) => row.id, 'head'),
  { title: 'Open for', kind: 'number', value: (row) => row.seconds, text: (row) => span(row.seconds) },
  text('State', (row) => words(row.state)),
  text('Program', (row) => row.software),
  text('Client', (row) => row.client || 'hidden'),
  text('TLS', (row) => row.tls),
  text('Listener', (row) => row.listener),
  text('Server', (row) => row.server ?? 'none yet'),
  number('Commands', (row) => row.commands),
  number('NO', (row) => row.no),
  number('BAD', (row) => row.bad),
  size('To server', (row) => row.bytes_to_server),
  size('To client', (row) => row.bytes_to_client),
];

let latest = { sessions: [], total: 0 };
let listener = '';

const searched = (row) => [row.id, words(row.state), row.software, row.client, row.tls, row.listener, row.server]
  .join(' ').toLowerCase();

function matching(rows) {
  const wanted = byId('filter').value.toLowerCase().split(/\s+/).filter(Boolean);
  return rows.filter((row) => wanted.every((word) => searched(row).includes(word)));
}

function tellCount(found) {
  const shown = Math.min(found, shownAtMost);
  const known = latest.sessions.length < latest.total ? `, of which ${integer(latest.sessions.length)} are known` : '';
  setText(byId('sessions-count'), `${integer(shown)} shown of ${integer(latest.total)} open sessions${known}`);
}

function draw() {
  const found = matching(latest.sessions.filter((row) => listener === '' || row.listener === listener));
  table('sessions-table', {
    label: 'Open sessions', columns, key: (row) => row.id, sortBy: 'Open for', tall: true, limit: shownAtMost,
    empty: 'No open session matches.',
  }).update(found);
  tellCount(found.length);
}

export function showSessions(answer, chosen) {
  latest = answer;
  listener = chosen;
  draw();
}

export function listenToFilter() {
  byId('filter').addEventListener('input', draw);
}

export function showEnds(view) {
  const rows = Object.entries(view.sessions_closed).flatMap(([reason, phases]) => {
    return Object.entries(phases).map(([phase, n]) => {
      return { reason, phase, n, series: view.series('imapmeter_sessions_closed_total', { reason, phase }) };
    });
  });
  table('closed-table', {
    label: 'How connections ended', key: (row) => `${row.reason} ${row.phase}`, sortBy: 'Count', tall: true,
    empty: 'No connection has ended yet.',
    columns: [
      text('Reason', (row) => row.reason, 'head'),
      text('How far it had come', (row) => row.phase),
      { title: 'Count', kind: 'number', value: (row) => row.n, series: (row) => row.series },
      text('What it means', (row) => closeReasons[row.reason] ?? '', 'words'),
    ],
  }).update(rows);
}
