/** Exit codes of every command (interface.md 8); `sim` gives 1 to 5 meanings of its own. */
export const exitCodes = {
  ok: 0,
  /** Looked, and not well: invalid manifest, broken link, named object absent, planned loss. */
  notWell: 1,
  /** What was asked about cannot be reached. */
  unreachable: 3,
  partial: 4,
  usage: 64,
  /** A bug in fairlead. */
  bug: 70,
  /** The configuration of an agent or controller at its start is invalid. */
  config: 78,
} as const;

/**
 * Ends a command with a code and a sentence for stderr. Thrown by actions, caught once in `main`:
 * commands have no other way to stop early, and no part of the core ever sees it.
 */
export class CommandEnd extends Error {
  override readonly name = 'CommandEnd';
  readonly exitCode: number;

  constructor(exitCode: number, sentence: string) {
    super(sentence);
    this.exitCode = exitCode;
  }
}

/** Wrong flags or arguments; the sentence says what would be right. */
export function usageError(sentence: string): CommandEnd {
  return new CommandEnd(exitCodes.usage, sentence);
}
