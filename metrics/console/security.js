// TLS on both sides and how long certificates last.
import { day, integer, none, share, words } from './format.js';
import { make, setText } from './dom.js';
import { series } from './listeners.js';
import { table } from './tables.js';
import { sum } from './totals.js';

const versions = ['TLSv1.2', 'TLSv1.3'];
const warnDays = 14;

const ofVersion = (version) => ({
  title: version, kind: 'number', value: (row) => row.of[version] ?? 0,
  series: (row) => row.view.series('imapmeter_tls_handshakes_total', { side: row.side, version }),
});
const stood = (of) => versions.reduce((all, version) => all + (of[version] ?? 0), 0);

function handshakes(view) {
  table('handshakes-table', {
    label: 'TLS handshakes by side', key: (row) => row.side,
    columns: [
      { title: 'Side', kind: 'head', value: (row) => row.side },
      ...versions.map(ofVersion),
      { title: 'resumed', kind: 'number', value: (row) => row.of.resumed,
        series: (row) => row.view.series('imapmeter_tls_handshakes_total', { side: row.side, resumed: 'true' }) },
      { title: 'resumed %', kind: 'number', value: (row) => row.of.resumed,
        text: (row) => share(row.of.resumed, stood(row.of)) },
      { title: 'failed', kind: 'number', value: (row) => sum(row.of.failed),
        series: (row) => row.view.series('imapmeter_tls_handshakes_total', { side: row.side, version: 'none' }) },
    ],
  }).update(Object.entries(view.handshakes).map(([side, of]) => ({ side, of, view })));
}

function failedHandshakes(view) {
  const rows = Object.entries(view.handshakes).flatMap(([side, { failed }]) => {
    return Object.entries(failed ?? {}).filter(([, n]) => n !== 0).map(([result, n]) => {
      return { side, result, n, series: view.series('imapmeter_tls_handshakes_total', { side, result }) };
    });
  });
  table('handshakes-failed', {
    label: 'Failed handshakes', key: (row) => `${row.side} ${row.result}`, sortBy: 'Count',
    empty: 'No handshake has failed.',
    columns: [
      { title: 'Why', kind: 'head', value: (row) => words(row.result) },
      { title: 'Side', value: (row) => row.side },
      { title: 'Count', kind: 'number', value: (row) => row.n, series: (row) => row.series },
    ],
  }).update(rows);
}

// The days that are left, with a word where they are few.
function showLeft(cell, row) {
  if (!cell.firstElementChild) cell.append(make('span', { class: 'badge' }));
  const badge = cell.firstElementChild;
  const few = row.days < warnDays ? '▲ expires soon: ' : '';
  setText(badge, row.days < 0 ? '✗ expired' : `${few}${integer(Math.floor(row.days))} days left`);
  badge.className = `badge ${row.days < 0 ? 'down' : few ? 'warn' : 'up'}`;
}

function certificates(status, chosen) {
  const rows = status.listeners.filter((each) => chosen === '' || each.name === chosen).flatMap((each) => {
    return Object.entries(each.certificates_not_after).map(([certificate, until]) => {
      return { listener: each.name, certificate, until, days: (until - status.time) / 86400 };
    });
  });
  const notAfter = 'imapmeter_tls_certificate_not_after_timestamp_seconds';
  table('certificates-table', {
    label: 'Certificates', key: (row) => `${row.listener} ${row.certificate}`, sortBy: 'Left',
    empty: 'No certificate is served: the listeners speak plaintext.',
    columns: [
      { title: 'Certificate', kind: 'head', value: (row) => row.certificate },
      { title: 'Listener', value: (row) => row.listener },
      { title: 'Until', value: (row) => row.until, show: (cell, row) => {
        setText(cell, day(row.until));
        cell.dataset.value = row.until;
        cell.dataset.metric = series(notAfter, { listener: row.listener, certificate: row.certificate });
      } },
      { title: 'Left', value: (row) => row.days, show: showLeft },
    ],
  }).update(rows);
}

function verification(status) {
  table('verify-table', {
    label: 'Verification of servers', key: (row) => row.name, empty: none,
    columns: [
      { title: 'Upstream', kind: 'head', value: (row) => row.name },
      { title: 'Certificates of servers', value: (row) => (row.tls_verified ? '● verified' : '▲ not verified') },
    ],
  }).update(status.upstreams);
}

export function showSecurity(view, status, chosen) {
  handshakes(view);
  failedHandshakes(view);
  certificates(status, chosen);
  verification(status);
}
