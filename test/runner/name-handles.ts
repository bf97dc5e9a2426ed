/**
 * Loaded into the process of every test file: the runner sends SIGUSR2 before it kills one that does not end, and this
 * names what keeps it alive. A pipe or two of those are standard output and standard error.
 */
process.on('SIGUSR2', () => {
  process.stderr.write(`# Still open: ${process.getActiveResourcesInfo().join(', ') || 'nothing'}\n`);
});
