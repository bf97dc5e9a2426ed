import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { planRequests, splitSentences, splitText } from '../../src/speech/text-splitter.ts';
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

test('cuts behind a comma rather than at the end of a sentence far from the limit, in Arabic too', () => {
  assert.equal(splitText('No. But here, where it is warm, we stay', 34), [
    'No. But here, where it is warm,',
    'we stay',
  ]);
  assert.equal(splitText('في البيت الكبير، حيث نسكن', 18), ['في البيت الكبير،', 'حيث نسكن']);
});

test('does not part a character from its marks', () => {
  assert.equal(splitText('abe\u0301\u0323z', 4), ['ab', 'e\u0301\u0323z']);
  assert.equal(splitText('كَتَبَ', 3), ['كَ', 'تَ', 'بَ']);
  assert.equal(splitText('ab👩\u200d👧x', 5), ['ab', '👩\u200d👧', 'x']);
});

test('cuts marks without end somewhere, but not inside a surrogate pair', () => {
  const parts = splitText(`a${'\u0301'.repeat(200)}`, 50);
  assert.is(parts.join(''), `a${'\u0301'.repeat(200)}`);
  assert.ok(parts.every(({ length }) => length <= 50));
  const faces = '👩\u200d'.repeat(100);
  for (const part of splitText(faces, 50)) assert.not.match(part, /^[\udc00-\udfff]|[\ud800-\udbff]$/);
});

test('finds sentences in any script, with or without blanks', () => {
  assert.equal(splitSentences('Hello! How are you? Fine.'), ['Hello! ', 'How are you? ', 'Fine.']);
  assert.equal(splitSentences('كيف حالك؟ أنا بخير.شكرا لك۔ نعم'), ['كيف حالك؟ ', 'أنا بخير.', 'شكرا لك۔ ', 'نعم']);
  assert.equal(splitSentences('مرحبا؟كيف الحال'), ['مرحبا؟', 'كيف الحال']);
  assert.equal(splitSentences('你好。再见！'), ['你好。', '再见！']);
  assert.equal(splitSentences('a line\nAnother line'), ['a line\n', 'Another line']);
});

test('a point in a number, a name, a list or an address ends no sentence', () => {
  for (const text of [
    'It costs 3.50 for two.',
    'I saw Dr. Smith, Prof. Doe and J. Roe.',
    'د. محمد هنا',
    'Go to www.example.com/?q=1 now.',
    '1. Wait',
    'Wait ... What?',
  ]) {
    assert.equal(splitSentences(text).length, text.startsWith('Wait') ? 2 : 1, text);
  }
});

test('what has nothing to say is no sentence of its own', () => {
  assert.equal(splitSentences('... Hello! 👍 ؟'), ['... Hello! 👍 ؟']);
});

test('plans a short text as one request, and none for a text with nothing to say', () => {
  assert.equal(planRequests('Hello. How are you?'), [['Hello. ', 'How are you?']]);
  for (const text of ['', '  ', '...', '؟!', '👍🏽 ❤️']) assert.equal(planRequests(text), [], text);
});

test('plans a long text in few requests: a short one first, then longer ones, never beyond the limit', () => {
  withSeed((random) => {
    for (let round = 0; round < 200; round++) {
      const sentences = Array.from({ length: 1 + Math.floor(random() * 40) }, () => {
        const words = 1 + Math.floor(random() ** 4 * 600);
        return `${Array.from({ length: words }, () => 'كلمة'.slice(0, 2 + Math.floor(random() * 3))).join(' ')}. `;
      });
      const text = sentences.join('').trim();
      const requests = planRequests(text).map((request) => request.join('').trim());
      for (const request of requests) assert.ok(request.length > 0 && request.length <= 2000);
      assert.is(requests.join('').replace(/\s/g, ''), text.replace(/\s/g, ''));
      // A request holds 400 characters, or one sentence that is longer: two of them together always hold more.
      assert.ok(requests.length <= 4 + (2 * text.length) / 400, `${requests.length} requests for ${text.length}`);
    }
  });
});

test('a short first sentence takes the second along, so that the third has come when it is needed', () => {
  const [first] = planRequests(`Yes. ${'And this is a longer sentence, which says more than that. '.repeat(8)}`);
  assert.is(first?.length, 2);
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
