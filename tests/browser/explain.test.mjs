// Every name that the program can show has its sentence in the console.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';

const source = process.env.IMAPMETER_SOURCE; // set where the tests run in a copy of their folder
const root = source ? pathToFileURL(`${source}/`) : new URL('../../', import.meta.url);
const read = (path) => readFileSync(new URL(path, root), 'utf8');
const load = (path) => import(`data:text/javascript,${encodeURIComponent(read(path))}`);

const { anomalies, byeReasons, members, opaqueReasons, outcomes, signals } = await load('metrics/console/explain.js');
const { closeReasons } = await load('metrics/console/endings.js');

// The strings of the array of that name.
function names(path, array) {
  const found = new RegExp(`${array} = \\{([^}]*)\\}`).exec(read(path));
  assert.ok(found, `${path} has no ${array}`);
  return [...found[1].matchAll(/"([^"]*)"/g)].map(([, name]) => name);
}

function same(table, wanted) {
  assert.deepEqual(Object.keys(table).sort(), [...wanted].sort());
  for (const [name, sentence] of Object.entries(table)) assert.ok(sentence.length > 3, name);
}

const event = 'proxy/imap/event.cc';

test('opaque reasons', () => same(opaqueReasons, names(event, 'opaque_reason_names')));
test('reasons of BYE', () => same(byeReasons, names(event, 'bye_reason_names')));
test('outcomes', () => same(outcomes, names(event, 'outcome_names')));
test('signals', () => same(signals, names(event, 'provider_signal_names')));
test('members', () => same(members, names('proxy/imap/status_names.h', 'status_code_names')));
test('reasons of an end', () => same(closeReasons, names('proxy/observer.h', 'close_reason_names')));

test('anomalies of both sides', () => {
  const all = names(event, 'anomaly_names');
  const second = all.indexOf('other') + 1; // each side ends with it
  same(anomalies.upstream, all.slice(0, second));
  same(anomalies.client, all.slice(second));
});
