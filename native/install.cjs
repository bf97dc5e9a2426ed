/**
 * Builds the native addon when this machine can, as npm's `install` script. It never fails an installation: without the
 * addon the TypeScript twins do its work, and the gateway says so when it starts.
 *
 * `--strict` (`npm run build:native`) exits 1 instead when nothing was built.
 */
'use strict';

const { spawnSync } = require('node:child_process');
const { existsSync, readFileSync } = require('node:fs');
const { dirname, join } = require('node:path');

const ROOT = dirname(__dirname);
const BUILD_TIMEOUT_MS = 300_000;
const PROGRAMS = ['g++', 'make', 'python3'];
const BUILD = '`npm run build:native`';
const CURE = `then run ${BUILD}`;

function isInstalled(program) {
  return spawnSync(program, ['--version'], { stdio: 'ignore' }).status === 0;
}

/** node-gyp of the npm that runs this script, or one that stands among the dependencies. */
function findNodeGyp() {
  if (process.env.npm_config_node_gyp) return process.env.npm_config_node_gyp;
  try {
    return require.resolve('node-gyp/bin/node-gyp.js', { paths: [ROOT] });
  } catch {
    return undefined;
  }
}

/** The headers that came with this very Node, so that none need be fetched. */
function localHeaders() {
  if (process.env.npm_config_nodedir) return process.env.npm_config_nodedir;
  const prefix = dirname(dirname(process.execPath));
  const versionFile = join(prefix, 'include/node/node_version.h');
  if (!existsSync(versionFile)) return undefined;
  const header = readFileSync(versionFile, 'utf8');
  const part = (name) => new RegExp(`#define NODE_${name}_VERSION (\\d+)`).exec(header)?.[1];
  const version = [part('MAJOR'), part('MINOR'), part('PATCH')].join('.');
  return version === process.versions.node ? prefix : undefined;
}

/** The last line in which a tool says what went wrong. */
function reasonOf({ error, signal, stdout, stderr }) {
  if (error) return error.message;
  if (signal) return `the build was ended by ${signal}`;
  const lines = `${stdout}\n${stderr}`.split('\n').map((line) => line.trim());
  const telling = lines.filter((line) => /\berror\b/i.test(line) && !/^gyp ERR! (not ok|build error)$/.test(line));
  return telling[0] ?? lines.filter(Boolean).pop() ?? 'the build failed';
}

/** @returns undefined when the addon was built, and else one line about why not. */
function build() {
  if (process.platform !== 'linux') return `found ${process.platform}, needed Linux; nothing to cure`;
  const missing = PROGRAMS.filter((program) => !isInstalled(program));
  if (missing.length > 0) {
    return `found no ${missing.join(', ')}; needed ${PROGRAMS.join(', ')}; cure: install them, ${CURE}`;
  }
  const nodeGyp = findNodeGyp();
  if (nodeGyp === undefined) return `found no node-gyp; needed the one that comes with npm; cure: run ${BUILD}`;
  const headers = localHeaders();
  const args = [nodeGyp, 'rebuild', '--directory', ROOT, ...(headers ? ['--nodedir', headers] : [])];
  const result = spawnSync(process.execPath, args, { encoding: 'utf8', timeout: BUILD_TIMEOUT_MS });
  if (result.status === 0) return undefined;
  return `found ${reasonOf(result)}; needed a build without errors; cure: see what it says, ${CURE}`;
}

const problem = build();
if (problem === undefined) {
  console.log('hamsa-gateway: native addon built');
} else {
  console.error(`hamsa-gateway: native addon not built: ${problem}`);
  if (process.argv.includes('--strict')) process.exitCode = 1;
}
