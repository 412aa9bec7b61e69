/** The part of the WebAssembly API that the engine uses: synchronous, no promise in it. */
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  /** Adds pages of 64 KiB and detaches the old buffer. */
  grow(pages: number): number;
}

/** A translated object. Machines share it; it holds no state. */
export interface WasmModule {
  readonly __module: never;
}

interface WasmApi {
  readonly Memory: new (
    shape: { readonly initial: number; readonly maximum: number },
  ) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => WasmModule;
  readonly Instance: new (
    module: WasmModule, imports: Readonly<Record<string, Readonly<Record<string, unknown>>>>,
  ) => { readonly exports: Readonly<Record<string, unknown>> };
  readonly RuntimeError: new () => Error;
}

// Declared here because the core is checked without the types of a browser or of Node.
declare const WebAssembly: WasmApi;

export const wasm: Readonly<WasmApi> = WebAssembly;
