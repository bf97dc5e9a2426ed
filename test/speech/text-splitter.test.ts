import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { splitText } from '../../src/speech/text-splitter.ts';
import { withSeed } from '../audio/prng.ts';

const test = suite('text splitter');

test('a text within the limit stays whole, and blanks are no text', () => {
  assert.equal(splitText(' One. Two. ', 20), ['One. Two.']);
  assert.equal(splitText('   \n ', 20), []);
  assert.equal(splitText('x'.repeat(20), 20), ['x'.repeat(20)]);
});

test('cuts at the last end of a sentence that fits, in Arabic too', () => {
  assert.equal(splitText('First one. Second one! Third one?', 23), ['First one. Second one!', 'Third one?']);
  assert.equal(splitText('كيف حالك؟ أنا بخير. شكرا لك', 20), ['كيف حالك؟ أنا بخير.', 'شكرا لك']);
  assert.equal(splitText('He said "stop." Then he left', 20), ['He said "stop."', 'Then he left']);
  assert.equal(splitText('a line\nanother line', 12), ['a line', 'another line']);
});

test('a point inside a number or a name ends no sentence', () => {
  assert.equal(splitText('It costs 3.50 for two people', 16), ['It costs 3.50', 'for two people']);
});

test('cuts between words where no sentence ends, and inside a word only when it is too long', () => {
  assert.equal(splitText('one two three four', 9), ['one two', 'three', 'four']);
  assert.equal(splitText(`${'x'.repeat(25)} end`, 10), ['x'.repeat(10), 'x'.repeat(10), 'xxxxx end']);
});

test('does not part a surrogate pair', () => {
  assert.equal(splitText('abc😀😀', 4), ['abc', '😀😀']);
});

test('loses nothing but blanks, and no part is too long', () => {
  withSeed((random) => {
    const alphabet = ['a', 'b', 'ش', ' ', ' ', '. ', '؟ ', '\n', '😀', '!'];
    for (let round = 0; round < 300; round++) {
      const text = Array.from({ length: 200 }, () => alphabet[Math.floor(random() * alphabet.length)]).join('');
      const parts = splitText(text, 30);
      for (const part of parts) assert.ok(part.length > 0 && part.length <= 30);
      assert.is(parts.join('').replace(/\s/g, ''), text.replace(/\s/g, ''));
    }
  });
});

test.run();
