/** The one door to tsyringe: it needs the reflection polyfill loaded first. */
import "reflect-metadata";
import { type DependencyContainer, type InjectionToken, container as rootContainer } from "tsyringe";

export { inject as injectToken, injectable } from "tsyringe";
export type { DependencyContainer };

/** A new container, in which nothing is registered. Nothing ever is in its parent, tsyringe's own. */
export function newContainer(): DependencyContainer {
  return rootContainer.createChildContainer();
}

/** An instance of a class, with what the container has for its decorated constructor parameters. */
export function construct(container: DependencyContainer, type: object): object {
  return container.resolve(type as InjectionToken<object>);
}
