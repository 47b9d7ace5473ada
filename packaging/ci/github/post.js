// Ends the agent of this job and removes what it kept. The job is over: nothing here makes it fail.
'use strict';

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');

const home = process.env.STATE_home;
if (home) {
  const env = { ...process.env, TOKCTL_HOME: home, TOKCTL_NO_PROMPT: '1' };
  const { error } = spawnSync(process.env.STATE_program, ['agent', 'stop'], { env, stdio: 'inherit' });
  if (error) console.error(`tokctl: warning: the agent was not stopped: ${error.message}`);
  fs.rmSync(home, { recursive: true, force: true });
}
