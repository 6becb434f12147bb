// Asks the API again and again, but only while somebody looks.

const patience = 5000; // milliseconds until an answer counts as missing
const retry = 2; // seconds

// An answer that came, but is none.
export class Unreadable extends Error {}

async function ask(path) {
  const response = await fetch(path, { cache: 'no-store', signal: AbortSignal.timeout(patience) });
  if (!response.ok) throw new Unreadable(`imapmeter answered ${response.status} to /${path}`);
  const text = await response.text();
  try {
    return JSON.parse(text);
  } catch {
    throw new Unreadable(`imapmeter’s answer to /${path} cannot be read`);
  }
}

// One address, every so many seconds. `wanted` says whether anybody would see the answer.
class Poller {
  constructor({ path, every, wanted = () => true, apply }, report) {
    Object.assign(this, { path, every, wanted, apply, report });
    this.asked = -Infinity;
    this.answered = false; // the last time
    this.busy = false;
  }

  due(now) {
    const every = this.answered ? this.every : retry;
    if (this.busy || now - this.asked < every * 1000) return false;
    return !this.answered || this.wanted();
  }

  async poll(now) {
    this.busy = true;
    this.asked = now;
    let answer = null;
    try {
      answer = await ask(this.path);
      this.answered = true;
    } catch (problem) {
      this.answered = false;
      this.report(this.path, problem);
      return;
    } finally {
      this.busy = false;
    }
    this.apply(answer);
    this.report(this.path, null);
  }
}

// `report(path, problem)` hears of each answer, with null as the problem where there was none. What is returned looks
// at once whether something is due.
export function follow(sources, report) {
  const pollers = sources.map((source) => new Poller(source, report));
  const tick = () => {
    if (document.hidden) return;
    const now = performance.now();
    for (const poller of pollers) if (poller.due(now)) poller.poll(now);
  };
  document.addEventListener('visibilitychange', tick);
  setInterval(tick, 500);
  tick();
  return tick;
}

// Tells which of these sections can be seen, or nearly.
export function watchSections(ids, appeared) {
  const visible = new Set();
  const observer = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting) visible.add(target.id);
      else visible.delete(target.id);
    }
    appeared();
  }, { rootMargin: '300px' });
  for (const id of ids) observer.observe(document.getElementById(id));
  return (id) => visible.has(id);
}
