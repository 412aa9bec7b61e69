import type { FeatureName } from '../../bpf/features.ts';
import { encodeOptions, layoutHash } from '../../bpf/layout.gen.ts';
import { objectText } from '../../bpf/object.gen.ts';
import { programOptions } from '../../bpf/options.ts';
import { compile, withVariables, type CompiledObject } from '../../bpf/vm/compile.ts';
import { loadObject } from '../../bpf/vm/object.ts';
import { base64Bytes } from '../../lb/base64.ts';
import type { DatapathOptions } from '../../lb/datapathoptions.ts';
import type { NodeObject } from './loaded.ts';

/** The datapath's object as a build carries it. */
export interface BuildObject {
  /** Base64 of the ELF file. */
  readonly text: string;
  /** Names the layout of its rows. */
  readonly layoutHash: string;
  /** Content of its variable `fl_options`. */
  readonly optionsOf: (datapath: DatapathOptions) => Uint8Array;
}

/** The engine can do all that programs may ask of a kernel. */
const features: ReadonlySet<FeatureName> = new Set([
  'set-retval', 'loop', 'ktime-coarse', 'check-mtu',
]);

/** The object of this build. */
export const buildObject: BuildObject = {
  text: objectText, layoutHash,
  optionsOf: (datapath) => encodeOptions(
    programOptions({ datapath, socketLb: 'full', bindProtection: true }, features),
  ),
};

/**
 * An object as the engine executes it; ours unless another is given. `checked` stops at the first
 * access outside of what the verifier of a kernel would have let it touch, at about twice the price
 * (engine.md G5).
 */
export function translateObject(
  mode: 'fast' | 'checked', { text }: BuildObject = buildObject,
): CompiledObject {
  return compile(loadObject(base64Bytes(text)), { mode });
}

/** The object as a kernel has it after a load with these options. */
export function loadedObject(
  translated: CompiledObject, datapath: DatapathOptions,
  { layoutHash: hash, optionsOf }: BuildObject = buildObject,
): NodeObject {
  const object = withVariables(translated, { fl_options: optionsOf(datapath) });
  return { layoutHash: hash, object };
}
