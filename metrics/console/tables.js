// Tables whose rows follow the data, sorted by clicking a column's head where that makes sense.
import { integer } from './format.js';
import { byId, count, keyed, make, setAttribute, setText } from './dom.js';

// Columns: { title, value(row), text(row)?, series(row)?, show(cell, row)?, kind? }; kind: number (right), head (the
// row's name), words (may break). `value` is what is sorted by.
function fill(cell, column, row) {
  if (column.show) {
    column.show(cell, row);
  } else if (column.series) {
    count(cell, column.value(row), column.series(row));
  } else {
    const value = column.value(row);
    const plain = () => (typeof value === 'number' ? integer(value) : String(value ?? ''));
    setText(cell, column.text ? column.text(row) : plain());
  }
}

function compare(a, b) {
  if (a === b) return 0;
  if (a === null || a === undefined) return -1;
  if (b === null || b === undefined) return 1;
  return typeof a === 'string' ? a.localeCompare(b) : a - b;
}

class Table {
  constructor(host, { label, columns, key, sortBy = null, empty = 'Nothing yet.', limit = Infinity, tall = false }) {
    this.columns = columns;
    this.key = key;
    this.limit = limit;
    this.rows = [];
    this.sortable = sortBy !== null;
    const first = columns.findIndex((column) => column.title === sortBy);
    this.order = { column: first, down: columns[first]?.kind === 'number' };
    this.body = make('tbody');
    this.head = make('tr', {}, ...columns.map((column, index) => this.headCell(column, index)));
    const table = make('table', {}, make('thead', {}, this.head), this.body);
    this.region = make('div', { class: tall ? 'scroll tall' : 'scroll', tabindex: '0', role: 'region',
      'aria-label': `Table: ${label}` }, table);
    this.empty = make('p', { class: 'empty' }, empty);
    host.append(this.empty, this.region);
    this.showOrder();
  }

  headCell(column, index) {
    const cell = make('th', { scope: 'col', class: column.kind ?? 'text' });
    if (!this.sortable) {
      cell.append(column.title);
      return cell;
    }
    const button = make('button', { type: 'button' }, column.title);
    button.addEventListener('click', () => this.sortBy(index));
    cell.append(button);
    return cell;
  }

  sortBy(index) {
    const again = this.order.column === index;
    this.order = { column: index, down: again ? !this.order.down : this.columns[index].kind === 'number' };
    this.showOrder();
    this.update(this.rows);
  }

  showOrder() {
    if (!this.sortable) return;
    [...this.head.children].forEach((cell, index) => {
      const direction = this.order.down ? 'descending' : 'ascending';
      setAttribute(cell, 'aria-sort', index === this.order.column ? direction : null);
    });
  }

  sorted(rows) {
    const column = this.columns[this.order.column];
    if (!column) return rows;
    const sign = this.order.down ? -1 : 1;
    return [...rows].sort((a, b) => sign * compare(column.value(a), column.value(b)));
  }

  update(rows) {
    this.rows = rows;
    this.empty.hidden = rows.length !== 0;
    this.region.hidden = rows.length === 0;
    const shown = this.sorted(rows).slice(0, this.limit);
    keyed(this.body, shown, this.key, () => this.newRow(), (line, row) => {
      this.columns.forEach((column, index) => fill(line.children[index], column, row));
    });
  }

  newRow() {
    return make('tr', {}, ...this.columns.map(({ kind }) => {
      return kind === 'head' ? make('th', { scope: 'row', class: 'head' }) : make('td', { class: kind ?? 'text' });
    }));
  }
}

const tables = new Map();

// The table in the element of that id, made when it is first asked for.
export function table(id, options) {
  if (!tables.has(id)) tables.set(id, new Table(byId(id), options));
  return tables.get(id);
}

// A share of the whole, as a bar behind its text.
export function bar(cell, value, most, label) {
  if (!cell.firstElementChild) cell.append(make('meter', { class: 'share', min: 0 }));
  const meter = cell.firstElementChild;
  setAttribute(meter, 'max', most || 1);
  setAttribute(meter, 'value', value);
  setAttribute(meter, 'aria-label', label);
}
