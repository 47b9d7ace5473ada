// Makes a home for this job alone, adds the profile, and hands its token to the steps after this one.
//
// No secret is read or written here: tokctl asks GitHub for the job's token and tells the runner what to mask.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

function input(name) {
  return (process.env[`INPUT_${name.toUpperCase()}`] ?? '').trim();
}

// A path has no line end in it: one could set further variables.
function append(variable, name, value) {
  if (/[\r\n]/.test(value)) throw new Error(`${name} has a line end in it`);
  fs.appendFileSync(process.env[variable], `${name}=${value}\n`);
}

function main() {
  // Outside of the workspace, which may be cached or uploaded. Nobody else can read what mkdtemp makes.
  const home = fs.mkdtempSync(path.join(process.env.RUNNER_TEMP, 'tokctl-'));
  // First of all, so that it is cleaned up whatever comes.
  append('GITHUB_STATE', 'home', home);
  append('GITHUB_STATE', 'program', input('program'));

  const tokctl = (...args) => {
    const env = { ...process.env, TOKCTL_HOME: home, TOKCTL_NO_PROMPT: '1' };
    const { status, error } = spawnSync(input('program'), args, { env, stdio: 'inherit' });
    if (error) throw error;
    // What went wrong was said on stderr.
    if (status !== 0) process.exit(status ?? 1);
  };
  const name = input('name');
  const settings = input('settings').split('\n').map((line) => line.trim()).filter(Boolean);
  tokctl('init', '--no-passphrase', '--quiet');
  tokctl('add', name, '--grant', input('grant'), '--subject', 'github-actions',
    ...settings.flatMap((setting) => ['--set', setting]));
  append('GITHUB_ENV', 'TOKCTL_HOME', home);
  if (input('export') !== 'false') {
    const variable = input('variable');
    tokctl('export', '--ci', variable ? `${variable}=${name}` : name);
  }
}

try {
  main();
} catch (error) {
  console.error(`tokctl: error: ${error.message}`);
  process.exit(1);
}
