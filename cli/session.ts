import type { Command } from 'commander';
import type { Console } from './console.ts';

/** What a subcommand's action gets besides its flags. */
export interface Session {
  readonly console: Console;
  /** The exit code of a command that ran to its end; 0 until set. */
  exitCode: number;
}

/** Adds one subcommand to the tree. Its action loads what is heavy when it runs. */
export type Register = (program: Command, session: Session) => void;
