/** A scenario names something that its cluster does not have. The message says what there is. */
export class ScenarioError extends Error {
  override readonly name = 'ScenarioError';
}

/** States what a scenario must have got right; unlike `assert`, its failure is the author's. */
export function demand(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new ScenarioError(sentence);
}
