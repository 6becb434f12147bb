// How sessions went, what failed, why servers said BYE, and the totals beside it.
import { byId, facts, setText } from './dom.js';
import { number, octets, share } from './format.js';
import { byeReasons, failures, outcomes, parties } from './explain.js';
import { bar, table } from './tables.js';

export const sum = (object) => Object.values(object ?? {}).reduce((all, value) => all + value, 0);

function showEmpty(view) {
  const empty = byId('no-traffic');
  empty.hidden = view.sessions_accepted !== 0;
  setText(empty, `No client has connected yet. imapmeter listens on ${(view.bind ?? []).join(', ')}.`);
}

function showOutcomes(view) {
  const counted = view.session_outcomes;
  const all = sum(counted);
  const judged = all - counted.login_rejected - counted.unseen;
  const tiles = Object.keys(outcomes).map((outcome) => ({
    name: outcome,
    value: counted[outcome],
    series: view.series('imapmeter_session_outcomes_total', { outcome }),
    note: all === 0 ? outcomes[outcome] : `${outcomes[outcome]}, ${share(counted[outcome], all)}`,
  }));
  const well = { name: 'went well', text: share(counted.good, judged), note: 'of all but rejected and unseen' };
  facts(byId('outcome-tiles'), [well, ...tiles]);
}

function rate(view, status) {
  const all = ['1m', '5m', '15m'].map((window) => number(view.rates_per_second[status][window]));
  return `${all.join(' · ')} per second over 1, 5, 15 min`;
}

function said(view, status) {
  const value = Object.values(view.responses).reduce((all, byStatus) => all + byStatus[status], 0);
  const series = view.series('imapmeter_responses_total', { status });
  return { name: status, value, series, note: rate(view, status) };
}

function traffic(view) {
  const bytes = (name, direction) => ({ name, value: view.bytes[direction], text: octets(view.bytes[direction]),
    series: view.series('imapmeter_bytes_total', { direction }) });
  const messages = (operation) => ({ name: `messages ${operation}`, value: view.messages[operation],
    series: view.series('imapmeter_messages_total', { operation }) });
  const waiting = (side) => ({ name: `waiting for ${side}`, value: view.blocked[side],
    series: view.series('imapmeter_blocked_sessions', { side }) });
  return [
    bytes('to servers', 'client_to_server'), bytes('to clients', 'server_to_client'),
    messages('fetched'), messages('appended'), waiting('client'), waiting('upstream'),
  ];
}

function showTotals(view) {
  const total = (name, value, family) => ({ name, value, series: view.series(family) });
  facts(byId('totals-list'), [
    total('accepted', view.sessions_accepted, 'imapmeter_sessions_accepted_total'),
    total('authenticated', view.sessions_authenticated, 'imapmeter_sessions_authenticated_total'),
    total('commands', view.commands_started, 'imapmeter_commands_started_total'),
    total('in flight', view.commands_in_flight, 'imapmeter_commands_in_flight'),
    ...['NO', 'BAD', 'BYE'].map((status) => said(view, status)),
    ...traffic(view),
  ]);
}

function failureRows(view) {
  return Object.entries(failures).flatMap(([party, kinds]) => Object.entries(kinds).map(([kind, why]) => {
    const series = view.series('imapmeter_failures_total', { party, kind });
    return { party, kind, n: view.failures[party]?.[kind] ?? 0, why, series };
  }));
}

function showFailures(view) {
  table('failures-table', {
    label: 'Failures by party and kind', key: (row) => `${row.party} ${row.kind}`, sortBy: 'Count', tall: true,
    columns: [
      { title: 'Party', kind: 'head', value: (row) => parties[row.party] },
      { title: 'Kind', value: (row) => row.kind },
      { title: 'Count', kind: 'number', value: (row) => row.n, series: (row) => row.series },
      { title: 'What it means', kind: 'words', value: (row) => row.why },
    ],
  }).update(failureRows(view));
}

function showByes(view) {
  const all = sum(view.bye);
  const shareBar = (cell, row) => bar(cell, row.n, row.all, `Share of ${row.reason}`);
  table('bye-table', {
    label: 'BYE by reason', key: (row) => row.reason,
    columns: [
      { title: 'Reason', kind: 'head', value: (row) => row.reason },
      { title: 'Count', kind: 'number', value: (row) => row.n, series: (row) => row.series },
      { title: 'Share', value: (row) => row.n, show: shareBar },
      { title: 'What it means', kind: 'words', value: (row) => byeReasons[row.reason] },
    ],
  }).update(Object.keys(byeReasons).map((reason) => {
    return { reason, n: view.bye[reason], all, series: view.series('imapmeter_bye_total', { reason }) };
  }));
}

export function showOverview(view) {
  showEmpty(view);
  showOutcomes(view);
  showTotals(view);
  showFailures(view);
  showByes(view);
}
