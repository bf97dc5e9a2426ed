import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { ApiError } from '../../../src/local-platform/api-error.ts';
import { Collection } from '../../../src/local-platform/state/collection.ts';

interface Thing {
  readonly id: string;
  readonly text: string;
  readonly isDone?: boolean;
}

const test = suite('collection');
const statusOf = (run: () => unknown): number | undefined => {
  try {
    run();
  } catch (thrown) {
    assert.instance(thrown, ApiError);
    return (thrown as ApiError).status;
  }
  return undefined;
};

test('an unknown id is 404, to read and to delete', () => {
  const things = new Collection<Thing>({ what: 'thing' });
  assert.is(
    statusOf(() => things.get('a')),
    404,
  );
  assert.is(
    statusOf(() => things.delete('constructor')),
    404,
  );
});

test('what replaces keeps its place, and its size is counted anew', () => {
  const things = new Collection<Thing>({ what: 'thing', maxCharacters: 100 });
  things.put({ id: 'a', text: 'x'.repeat(60) });
  things.put({ id: 'b', text: '' });
  things.put({ id: 'a', text: 'y' });
  assert.equal(
    things.all().map(({ id }) => id),
    ['a', 'b'],
  );
  things.put({ id: 'b', text: 'x'.repeat(50) });
  assert.is(
    statusOf(() => things.put({ id: 'c', text: 'x'.repeat(50) })),
    503,
  );
  things.delete('b');
  things.put({ id: 'c', text: 'x'.repeat(50) });
  assert.is(things.size, 2);
});

test('past its bound the oldest that may go gives way, and never the one that is replaced', () => {
  const things = new Collection<Thing>({ what: 'thing', maxRecords: 2, mayGiveWay: ({ isDone }) => isDone === true });
  things.put({ id: 'a', text: '' });
  things.put({ id: 'b', text: '', isDone: true });
  things.put({ id: 'c', text: '' });
  assert.equal(
    things.all().map(({ id }) => id),
    ['a', 'c'],
  );
  assert.is(
    statusOf(() => things.put({ id: 'd', text: '' })),
    503,
  );
  things.put({ id: 'a', text: 'changed', isDone: true });
  assert.is(things.get('a').text, 'changed');
});

test.run();
