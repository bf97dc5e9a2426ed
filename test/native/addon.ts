import { type NativeAddon, loadAddon } from '../../src/core/addon.ts';

/**
 * The addon, or undefined after one line that the runner counts as a skipped test. In CI (`CI=true`) a missing addon is
 * an error, so that its tests can not silently stop running there.
 */
export function addonFor(testName: string): NativeAddon | undefined {
  const { addon, problem } = loadAddon();
  if (addon) return addon;
  if (process.env['CI'] === 'true') throw new Error(`'${testName}' needs the addon: ${problem.found}`);
  console.log(`# SKIP ${testName}: ${problem.found}`);
  return undefined;
}
