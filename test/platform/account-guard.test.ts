import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { AccountGuard } from '../../src/platform/account-guard.ts';
import { PlatformError } from '../../src/platform/platform-errors.ts';

const test = suite('account guard');
const wallet = new PlatformError('ERR_PLATFORM_WALLET', 'the platform answered 402');
const key = new PlatformError('ERR_PLATFORM_AUTH', 'the platform answered 401');

test('lets everything through while the account is in order', () => {
  const guard = new AccountGuard();
  guard.failed(new PlatformError('ERR_PLATFORM_UNAVAILABLE', 'down'), 0);
  guard.failed(new PlatformError('ERR_PLATFORM_RATE', 'slow down'), 0);
  assert.is(guard.admit(1), undefined);
  assert.equal(guard.state, { keyRefused: false, walletEmpty: false });
});

test('refuses everything with the one error once the wallet is empty', () => {
  const guard = new AccountGuard();
  guard.failed(wallet, 1_000);
  assert.is(guard.admit(1_001), wallet);
  assert.is(guard.admit(60_999), wallet);
  assert.equal(guard.state, { keyRefused: false, walletEmpty: true });
});

test('lets exactly one probe through after each 60 s', () => {
  const guard = new AccountGuard();
  guard.failed(key, 1_000);
  assert.is(guard.admit(61_000), undefined);
  assert.is(guard.admit(61_000), key);
  assert.is(guard.admit(120_999), key);
  assert.is(guard.admit(121_000), undefined);
  assert.equal(guard.state, { keyRefused: true, walletEmpty: false });
});

test('a refused probe closes the gate for another 60 s', () => {
  const guard = new AccountGuard();
  guard.failed(wallet, 0);
  assert.is(guard.admit(60_000), undefined);
  guard.failed(key, 65_000);
  assert.is(guard.admit(124_999), key);
  assert.is(guard.admit(125_000), undefined);
});

test('a successful probe opens the gate', () => {
  const guard = new AccountGuard();
  guard.failed(wallet, 0);
  assert.is(guard.admit(60_000), undefined);
  guard.succeeded(60_000);
  assert.is(guard.admit(60_001), undefined);
  assert.is(guard.admit(60_001), undefined);
  assert.equal(guard.state, { keyRefused: false, walletEmpty: false });
});

test('the success of a request from before the refusal opens nothing', () => {
  const guard = new AccountGuard();
  guard.failed(wallet, 1_000);
  guard.succeeded(900);
  assert.is(guard.admit(1_001), wallet);
});

test.run();
