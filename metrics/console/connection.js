// Loading, connected, without an answer, with a wrong one: what the head of the page says of the link to imapmeter.
import { byId, setText } from './dom.js';
import { clock } from './format.js';
import { Unreadable } from './api.js';

const problems = new Map(); // by path
const answered = new Map(); // by path: when, for the last time

const labels = { loading: 'Connecting', connected: 'Live', disconnected: 'No answer', error: 'Wrong answer' };

function state() {
  if (problems.size === 0) return answered.size === 0 ? 'loading' : 'connected';
  return [...problems.values()].some((problem) => problem instanceof Unreadable) ? 'error' : 'disconnected';
}

function sentence() {
  const wrong = [...problems.values()].find((problem) => problem instanceof Unreadable);
  if (wrong) return `${wrong.message}; trying again.`;
  const since = [...problems.keys()].filter((path) => answered.has(path)).map((path) => answered.get(path));
  if (since.length === 0) return `imapmeter does not answer at ${location.origin}; trying again.`;
  return `No answer since ${clock(Math.min(...since))}; trying again. What is shown was true then.`;
}

export function report(path, problem) {
  if (problem === null) {
    problems.delete(path);
    answered.set(path, Date.now() / 1000);
  } else {
    problems.set(path, problem);
  }
  document.body.dataset.state = state();
  const banner = byId('banner');
  banner.hidden = problems.size === 0;
  setText(banner, banner.hidden ? '' : sentence());
  setText(byId('link'), labels[state()]);
}
