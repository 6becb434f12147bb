// Commands with their shares and times; logins; the client programs.
import { byId, setText } from './dom.js';
import { integer, none, seconds, share, words } from './format.js';
import { table } from './tables.js';
import { sum } from './totals.js';

const results = ['OK', 'NO', 'BAD', 'aborted', 'untracked'];

const total = (row) => results.reduce((all, result) => all + row[result], 0);

const ofResult = (result) => ({
  title: result, kind: 'number', value: (row) => row[result],
  series: (row) => row.view.series('imapmeter_commands_total', { command: row.command, result }),
});
const shareOf = (result) => ({
  title: `${result} %`, kind: 'number', value: (row) => row[result] / (total(row) || 1),
  text: (row) => share(row[result], total(row)),
});
const quantile = (title, of, which) => ({
  title, kind: 'number', value: (row) => row[of]?.[which] ?? null, text: (row) => seconds(row[of]?.[which]),
});

const commandColumns = [
  { title: 'Command', kind: 'head', value: (row) => row.command },
  { title: 'Count', kind: 'number', value: total,
    series: (row) => row.view.series('imapmeter_commands_total', { command: row.command }) },
  ofResult('NO'), shareOf('NO'), ofResult('BAD'), shareOf('BAD'), ofResult('aborted'), ofResult('untracked'),
  ...['p50', 'p95', 'p99'].map((which) => quantile(`answer ${which}`, 'duration', which)),
  ...['p50', 'p95', 'p99'].map((which) => quantile(`first\u00a0line ${which}`, 'first_response', which)),
];

export function showCommands(view) {
  table('commands-table', {
    label: 'Commands', columns: commandColumns, key: (row) => row.command, sortBy: 'Count', tall: true,
    empty: 'No command has ended yet.',
  }).update(view.commands.map((row) => ({ ...row, view })));
  const note = 'Times since the start, interpolated in histogram buckets: until the answer, and until the first line.';
  setText(byId('quantiles-note'), view.single ? note : 'Times are of one listener: choose one above to see them.');
}

const loginResults = ['success', 'rejected', 'temporary', 'policy', 'other_no', 'bad', 'cancelled', 'aborted'];

const loginColumns = [
  { title: 'Mechanism', kind: 'head',
    value: (row) => (row.mechanism === 'LOGIN_COMMAND' ? 'the command LOGIN' : row.mechanism) },
  ...loginResults.map((result) => ({
    title: words(result), kind: 'number', value: (row) => row.by[result] ?? 0,
    series: (row) => row.view.series('imapmeter_auth_attempts_total', { mechanism: row.mechanism, result }),
  })),
  { title: 'succeeded', kind: 'number', value: (row) => (row.by.success ?? 0) / (sum(row.by) || 1),
    text: (row) => share(row.by.success ?? 0, sum(row.by)) },
];

export function showLogins(view) {
  table('logins-table', {
    label: 'Logins by mechanism and result', columns: loginColumns, key: (row) => row.mechanism, sortBy: 'success',
    empty: 'Nobody has logged in yet.',
  }).update(Object.entries(view.logins).map(([mechanism, by]) => ({ mechanism, by, view })));
  table('auth-codes', {
    label: 'Refused logins by code', key: (row) => row.code, sortBy: 'Count',
    columns: [
      { title: 'Code', kind: 'head', value: (row) => (row.code === 'none' ? 'without a code' : row.code) },
      { title: 'Count', kind: 'number', value: (row) => row.n, series: (row) => row.series },
    ],
  }).update(Object.entries(view.auth_failures).map(([code, n]) => {
    return { code, n, series: view.series('imapmeter_auth_failures_total', { code }) };
  }));
  phases(view);
  const networks = view.failing_networks;
  setText(byId('failing-networks'), networks === 0
    ? 'From no network have all logins of the last 15 minutes failed.'
    : `From ${integer(networks)} network${networks === 1 ? '' : 's'} all logins of the last 15 minutes failed.`);
}

function phases(view) {
  table('phases-table', {
    label: 'Steps on the way to a login', key: (row) => row.phase, empty: 'Nobody has logged in yet.',
    columns: [
      { title: 'Step', kind: 'head', value: (row) => words(row.phase) },
      { title: 'Count', kind: 'number', value: (row) => row.of.count,
        series: (row) => row.view.series('imapmeter_login_phase_duration_seconds_count', { phase: row.phase }) },
      ...['p50', 'p95', 'p99'].map((which) => quantile(which, 'of', which)),
    ],
  }).update(Object.entries(view.login_phases).map(([phase, of]) => ({ phase, of, view })));
}

const problems = ['login_rejected', 'login_failed', 'degraded', 'cut'];

const clientColumns = [
  { title: 'Program', kind: 'head', value: (row) => (row.software === 'none' ? 'says nothing' : row.software) },
  { title: 'Logged in', kind: 'number', value: (row) => row.n,
    series: (row) => row.view.series('imapmeter_client_software_total', { software: row.software }) },
  ...problems.map((kind) => ({
    title: words(kind), kind: 'number', value: (row) => row.by[kind] ?? 0,
    series: (row) => row.view.series('imapmeter_client_problems_total', { software: row.software, kind }),
  })),
  { title: 'cut or degraded', kind: 'number', value: (row) => troubled(row) / (row.n || 1),
    text: (row) => (row.n === 0 ? none : share(troubled(row), row.n)) },
];

const troubled = (row) => Math.min(row.n, (row.by.degraded ?? 0) + (row.by.cut ?? 0));

export function showClients(view) {
  const names = new Set([...Object.keys(view.client_software), ...Object.keys(view.client_problems)]);
  const rows = [...names].map((software) => {
    return { software, n: view.client_software[software] ?? 0, by: view.client_problems[software] ?? {}, view };
  });
  table('clients-table', {
    label: 'Client programs', columns: clientColumns, key: (row) => row.software, sortBy: 'Logged in',
    empty: 'No session has ended yet.',
  }).update(rows.filter((row) => row.n + sum(row.by) !== 0));
}
