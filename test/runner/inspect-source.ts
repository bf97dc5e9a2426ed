const NAMED_SUITE = /\b(?:const|let)\s+(\w+)\s*(?::[^=]+)?=\s*suite\b/g;
const IMPORTS_TEST = /import\s*\{[^}]*\btest\b[^}]*\}\s*from\s*'uvu'/;
const COMMENT = /^[ \t]*(?:\/\/.*|\/\*[\s\S]*?\*\/)/gm;

/**
 * Finds in the source of a test file what uvu neither runs nor mentions: a suite whose `.run()` is missing, and tests
 * declared after it. It knows suites by the name they are bound to.
 */
export function inspectSource(source: string): string[] {
  const code = source.replace(COMMENT, '');
  const names = new Set([...code.matchAll(NAMED_SUITE)].map(([, name]) => name!));
  if (IMPORTS_TEST.test(code)) names.add('test');

  const problems: string[] = [];
  for (const name of names) {
    const lastRun = lastIndexOf(code, name, '\\.run\\(\\)');
    if (lastRun < 0) problems.push(`the suite '${name}' is never run: ${name}.run() is missing`);
    else if (lastIndexOf(code, name, '\\(') > lastRun) problems.push(`'${name}' declares tests after ${name}.run()`);
  }
  return problems;
}

/** Where `name` followed by the pattern `suffix` stands last, or -1; a member of the same name does not count. */
function lastIndexOf(code: string, name: string, suffix: string): number {
  return [...code.matchAll(new RegExp(`(?<![\\w.$])${name}${suffix}`, 'g'))].at(-1)?.index ?? -1;
}
