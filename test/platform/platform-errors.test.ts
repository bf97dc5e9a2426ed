import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { registerSecret } from '../../src/core/secrets.ts';
import {
  AuthenticationError,
  errorFromAnswer,
  errorFromClose,
  errorFromNetwork,
  errorFromProse,
  NetworkError,
  NotFoundError,
  PermissionError,
  type PlatformError,
  ProtocolError,
  RateLimitError,
  readRetryAfterMs,
  ServerError,
  TimeoutError,
  ValidationError,
  WalletError,
} from '../../src/platform/platform-errors.ts';

const test = suite('platform errors');
const NOW_MS = Date.UTC(2026, 0, 1);

function classify(status: number, body: unknown): string {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return errorFromAnswer({ status, headers: {}, body: text }, NOW_MS).code;
}

test('the prose of the realtime socket is classified', () => {
  const expected: Record<string, string> = {
    'Rate limit exceeded': 'ERR_PLATFORM_RATE',
    'Rate limit of the usage plan': 'ERR_PLATFORM_RATE',
    'Insufficient funds': 'ERR_PLATFORM_WALLET',
    'Usage limit reached': 'ERR_PLATFORM_WALLET',
    'Invalid API key': 'ERR_PLATFORM_AUTH',
    'API key is inactive': 'ERR_PLATFORM_AUTH',
    'Invalid payload': 'ERR_PLATFORM_REQUEST',
    'Invalid message format': 'ERR_PLATFORM_REQUEST',
    'Only WAV files are supported': 'ERR_PLATFORM_REQUEST',
    'Error generating transcription: engine is inactive': 'ERR_PLATFORM_UNAVAILABLE',
    'Internal authentication error': 'ERR_PLATFORM_UNAVAILABLE',
    'The moon is full': 'ERR_PLATFORM_PROTOCOL',
  };
  for (const [prose, code] of Object.entries(expected)) assert.is(errorFromProse(prose).code, code, prose);
});

test('close codes are classified, and an unknown one by its reason', () => {
  assert.is(errorFromClose(1001, 'shutting down').code, 'ERR_PLATFORM_UNAVAILABLE');
  assert.is(errorFromClose(4001, '').code, 'ERR_PLATFORM_AUTH');
  assert.is(errorFromClose(4003, '').code, 'ERR_PLATFORM_WALLET');
  assert.is(errorFromClose(4500, 'authentication').code, 'ERR_PLATFORM_UNAVAILABLE');
  assert.is(errorFromClose(1008, 'Rate limit exceeded').code, 'ERR_PLATFORM_RATE');
  assert.is(errorFromClose(1006, '').code, 'ERR_PLATFORM_UNAVAILABLE');
});

test('every shape of an error body is read', () => {
  const message = 'Invalid API key';
  for (const body of [
    { success: false, error: { code: 10403, message, details: {} } },
    { success: false, error: { code: '10403', message } },
    { code: '10403', message },
    { message },
    { message: [message] },
    { error: message },
    { success: false, error: message },
    { detail: message },
    message,
  ]) {
    assert.is(classify(403, JSON.stringify(body)), 'ERR_PLATFORM_AUTH', JSON.stringify(body));
  }
  assert.is(classify(403, message), 'ERR_PLATFORM_AUTH');
});

test('10403 is the key only when the status or the message says so', () => {
  assert.is(classify(401, { code: 10403, message: 'Forbidden' }), 'ERR_PLATFORM_AUTH');
  assert.is(classify(403, { code: 10403, message: 'Missing API key' }), 'ERR_PLATFORM_AUTH');
  assert.is(classify(403, { code: 10403, message: 'Agents are not part of your plan' }), 'ERR_PLATFORM_PERMISSION');
  assert.is(classify(400, { message: 'Voice is inactive' }), 'ERR_PLATFORM_REQUEST');
});

test('statuses are classified', () => {
  assert.is(classify(429, ''), 'ERR_PLATFORM_RATE');
  assert.is(classify(429, { message: 'Too many requests' }), 'ERR_PLATFORM_RATE');
  assert.is(classify(429, { message: 'Usage limit exceeded' }), 'ERR_PLATFORM_WALLET');
  assert.is(classify(402, ''), 'ERR_PLATFORM_WALLET');
  assert.is(classify(400, { message: 'Insufficient funds' }), 'ERR_PLATFORM_WALLET');
  assert.is(classify(400, { message: 'text is too long' }), 'ERR_PLATFORM_REQUEST');
  assert.is(classify(404, ''), 'ERR_PLATFORM_NOT_FOUND');
  assert.is(classify(403, ''), 'ERR_PLATFORM_PERMISSION');
  assert.is(classify(500, { message: 'Invalid API key' }), 'ERR_PLATFORM_UNAVAILABLE');
  assert.is(classify(503, '<html>nginx</html>'), 'ERR_PLATFORM_UNAVAILABLE');
  assert.is(classify(504, ''), 'ERR_PLATFORM_TIMEOUT');
  assert.is(classify(302, ''), 'ERR_PLATFORM_PROTOCOL');
});

test('an error under status 200 is classified by its code, else by its prose', () => {
  assert.is(classify(200, { success: false, error: { code: 10429, message: 'slow down' } }), 'ERR_PLATFORM_RATE');
  assert.is(classify(200, { success: false, error: { code: '10404', message: 'gone' } }), 'ERR_PLATFORM_NOT_FOUND');
  assert.is(classify(200, { success: false, error: { message: 'Insufficient funds' } }), 'ERR_PLATFORM_WALLET');
  assert.is(classify(200, { success: true, data: {} }), 'ERR_PLATFORM_PROTOCOL');
  assert.is(classify(200, '[1,2]'), 'ERR_PLATFORM_PROTOCOL');
});

test('each family has its class', () => {
  const answer = (status: number, message = ''): PlatformError =>
    errorFromAnswer({ status, headers: {}, body: JSON.stringify({ message }) }, NOW_MS);
  const expected: readonly (readonly [PlatformError, new (...args: never[]) => PlatformError])[] = [
    [answer(401), AuthenticationError],
    [answer(403), PermissionError],
    [answer(404), NotFoundError],
    [answer(400), ValidationError],
    [answer(422), ValidationError],
    [answer(429), RateLimitError],
    [answer(429, 'Usage limit exceeded'), WalletError],
    [answer(500), ServerError],
    [answer(503), ServerError],
    [answer(504), TimeoutError],
    [answer(302), ProtocolError],
    [errorFromNetwork('it', Object.assign(new Error('reset'), { code: 'ECONNRESET' })), NetworkError],
    [errorFromNetwork('it', Object.assign(new Error('slow'), { code: 'ETIMEDOUT' })), TimeoutError],
    [errorFromClose(4500, ''), NetworkError],
    [errorFromProse('Insufficient funds'), WalletError],
  ];
  for (const [error, Family] of expected) {
    assert.is(error.constructor, Family, error.message);
    assert.is(error.name, Family.name);
  }
});

test('the joined code, its part, the status, the details and the request id are separate fields', () => {
  const headers = { 'x-request-id': 'req-17', 'retry-after': '3' };
  const body = JSON.stringify({ success: false, error: { code: '10403', message: 'no', details: { field: 'name' } } });
  const error = errorFromAnswer({ status: 401, headers, body }, NOW_MS);
  const { status, joinedCode, part, requestId, retryAfterMs, details, reason, retryable } = error;
  assert.equal(
    { status, joinedCode, part, requestId, retryAfterMs, details, reason, retryable },
    {
      status: 401,
      joinedCode: 10403,
      part: 10,
      requestId: 'req-17',
      retryAfterMs: 3000,
      details: { field: 'name' },
      reason: undefined,
      retryable: false,
    },
  );
  const under200 = errorFromAnswer({ status: 200, headers: {}, body: '{"code":12404,"message":"gone"}' }, NOW_MS);
  assert.equal([under200.status, under200.joinedCode, under200.part], [404, 12404, 12]);
  const word = errorFromAnswer({ status: 400, headers: {}, body: '{"error":{"code":"BAD_NAME"}}' }, NOW_MS);
  assert.equal([word.status, word.joinedCode, word.part, word.reason], [400, undefined, undefined, 'BAD_NAME']);
});

test('the end of the quota window is a reason to wait only for a rate refusal', () => {
  const headers = { 'x-ratelimit-reset': String(NOW_MS / 1000 + 20) };
  assert.is(errorFromAnswer({ status: 500, headers, body: '' }, NOW_MS).retryAfterMs, undefined);
  assert.is(errorFromAnswer({ status: 429, headers, body: '' }, NOW_MS).retryAfterMs, 20_000);
});

test('only some failures prove that the platform did nothing', () => {
  const answered = (status: number, headers = {}): boolean =>
    errorFromAnswer({ status, headers, body: '' }, NOW_MS).nothingDone;
  assert.ok(answered(429));
  assert.ok(answered(503, { 'retry-after': '1' }));
  assert.not(answered(503));
  assert.not(answered(500));
  const broke = (cause: Error, fields: object): boolean =>
    errorFromNetwork('it', Object.assign(cause, fields)).nothingDone;
  const refused = Object.assign(new Error('refused'), { code: 'ECONNREFUSED' });
  assert.ok(broke(new Error('x'), { code: 'ECONNREFUSED', syscall: 'connect' }));
  assert.ok(broke(new Error('x'), { code: 'UND_ERR_CONNECT_TIMEOUT' }));
  assert.ok(broke(new AggregateError([refused, refused]), { code: 'ECONNREFUSED' }));
  assert.not(broke(new AggregateError([refused, new Error('reset')]), { code: 'ECONNREFUSED' }));
  assert.not(broke(new Error('x'), { code: 'ECONNRESET', syscall: 'read' }));
  assert.not(broke(new Error('other side closed'), { code: 'UND_ERR_SOCKET' }));
});

test('Retry-After is read in seconds and as a date, X-RateLimit-Reset in seconds and milliseconds', () => {
  const read = (headers: Record<string, string>): number | undefined => readRetryAfterMs(headers, NOW_MS);
  assert.is(read({ 'retry-after': '7' }), 7_000);
  assert.is(read({ 'retry-after': 'Thu, 01 Jan 2026 00:00:30 GMT' }), 30_000);
  assert.is(read({ 'retry-after': 'Wed, 31 Dec 2025 00:00:00 GMT' }), 0);
  assert.is(read({ 'retry-after': '999999' }), 3_600_000);
  assert.is(read({ 'retry-after': 'soon', 'x-ratelimit-reset': String(NOW_MS / 1000 + 20) }), 20_000);
  assert.is(read({ 'x-ratelimit-reset': String(NOW_MS + 20_000) }), 20_000);
  assert.is(read({ 'retry-after': 'soon' }), undefined);
  assert.is(read({}), undefined);
});

test('neither a key nor more than a line of the platform’s words gets into an error', () => {
  const key = 'sk_live_0123456789abcdef';
  registerSecret(key);
  const error = errorFromProse(`Invalid API key: ${key}\n${'x'.repeat(500)}`);
  assert.not.match(error.message, key);
  assert.not.match(error.message, '\n');
  assert.ok(error.message.length < 300);
  // A key that straddles the point at which the words are cut.
  const straddling = errorFromProse(`${'y'.repeat(190)} ${key}`);
  assert.not.match(straddling.message, key.slice(0, 8));
  assert.not.match(errorFromNetwork('it', new Error(`Invalid URL: wss://host/?api_key=${key}`)).message, key);
  const body = JSON.stringify({ error: { code: 'X', message: 'bad', details: { echoed: `Token ${key}` } } });
  assert.not.match(JSON.stringify(errorFromAnswer({ status: 400, headers: {}, body }, NOW_MS).details), key);
  assert.not.match(errorFromNetwork('it', new Error('bad wss://host/?api_key=other-key')).message, 'other-key');
});

test.run();
