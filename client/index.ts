/**
 * The SDK that an orchestrator imports as `tenuto/client`:
 *
 * ```ts
 * const agent = await connectNats({ servers: "nats://bus:4222", label: "host1" });
 * const result = await agent.commit(new Changes().set(interfaceModel, veth).transaction());
 * for await (const event of agent.watch("interfaces")) console.log(event.subject, event.data);
 * ```
 */
export * from "#proto/keys.js";
export * from "#proto/models.js";
export { Changes } from "./changes.js";
export { type AgentClient, AgentClientError, type AgentClientErrorCode } from "./client.js";
export { DesiredState } from "./desired-state.js";
export { type AgentDescription, type ConnectOptions, connectNats, NatsClient } from "./nats-client.js";
export type { NatsOptions } from "./nats-connection.js";
export * from "./types.js";
