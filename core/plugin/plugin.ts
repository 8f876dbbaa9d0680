/**
 * What a plugin is: a class with constructor injection and three optional steps.
 *
 * - The constructor takes its dependencies and does nothing else.
 * - `init()` acquires resources and registers (models, descriptors, endpoints, sinks). Plugins earlier in the flavor are
 *   initialised already.
 * - `afterInit()` starts consuming. Every plugin of the flavor is initialised by then.
 * - `close()` undoes both. It is called once, in reverse order of `init`, also for a plugin whose own `init` failed
 *   half-way, so it must cope with resources that were never acquired.
 *
 * Each step has a deadline (section `agent` of the configuration). A step that fails or overruns stops the start: plugins
 * already started are closed, and the error names plugin, step and cause.
 */
export interface Plugin {
  init?(): void | Promise<void>;
  afterInit?(): void | Promise<void>;
  close?(): void | Promise<void>;
}
