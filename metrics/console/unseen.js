// Sessions that are no longer read, and what looked wrong: every kind with its explanation, those that occurred first.
import { anomalies, opaqueReasons } from './explain.js';
import { table } from './tables.js';

const reason = { title: 'What it means', kind: 'words', value: (row) => row.why };
const counted = { title: 'Count', kind: 'number', value: (row) => row.n, series: (row) => row.series };

function opaque(view) {
  table('opaque-table', {
    label: 'Opaque sessions by reason', key: (row) => row.name, sortBy: 'Count', tall: true,
    columns: [{ title: 'Reason', kind: 'head', value: (row) => row.name }, counted, reason],
  }).update(Object.entries(opaqueReasons).map(([name, why]) => {
    const series = view.series('imapmeter_opaque_sessions_total', { reason: name });
    return { name, why, n: view.opaque_sessions[name] ?? 0, series };
  }));
}

function odd(view) {
  const found = new Map(view.anomalies.map(({ side, kind, count }) => [`${side} ${kind}`, count]));
  const rows = Object.entries(anomalies).flatMap(([side, kinds]) => Object.entries(kinds).map(([kind, why]) => {
    const series = view.series('imapmeter_anomalies_total', { side, kind });
    return { side, kind, why, n: found.get(`${side} ${kind}`) ?? 0, series };
  }));
  table('anomalies-table', {
    label: 'Anomalies by side and kind', key: (row) => `${row.side} ${row.kind}`, sortBy: 'Count', tall: true,
    columns: [
      { title: 'Kind', kind: 'head', value: (row) => row.kind },
      { title: 'Side', value: (row) => row.side }, counted, reason,
    ],
  }).update(rows);
}

export function showUnseen(view) {
  opaque(view);
  odd(view);
}
