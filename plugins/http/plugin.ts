import { defaultSocketPath } from "#core/agent/socket-path.js";
import { AgentInfo } from "#core/agent/types.js";
import { BusError, errorMessage, InvalidInputError } from "#core/errors.js";
import { Health, PluginHealthReporter } from "#core/health/types.js";
import { Logger, LogRegistry } from "#core/logging/types.js";
import { ModelRegistry } from "#core/model/types.js";
import {
  EventPublisher,
  type Northbound,
  RequestGroup,
  StateSink,
  TransactionEndpoint,
} from "#core/northbound/index.js";
import { type All, inject, injectAll, type Plugin, PluginConfig, plugin, provide } from "#core/plugin/index.js";
import { Scheduler } from "#core/scheduler/api/token.js";
import { tcpAdmission } from "./admission.js";
import type { Api } from "./api.js";
import { type HttpConfig, httpConfig } from "./config.js";
import { EventStreams } from "./event-streams.js";
import { SchedulerRequests } from "./graph/requests.js";
import { isLoopback } from "./host-header.js";
import { claimSocketPath, setSocketMode } from "./local-socket.js";
import type { RouteTable } from "./route-table.js";
import { routesOf } from "./routes.js";
import { HttpServer, type ServerOptions } from "./server.js";
import { tlsOptions } from "./tls.js";
import { TransactionCounts } from "./transaction-counts.js";

/**
 * The agent's API over HTTP, on a local socket and, if enabled, on TCP. The routes are in `routes/`, a file per group.
 *
 * The sockets open in `afterInit`; by then the orchestrator, which comes earlier in every flavor, has been initialised and
 * has said where transactions go. Access to the local socket is a matter of its file mode and group; TCP listens on
 * loopback, and elsewhere only with a token or with certificates of its clients.
 */
@plugin({
  name: "http",
  description: "HTTP API on a local socket and on TCP: transactions, status, events, health, metrics",
  config: httpConfig,
  provides: [
    TransactionEndpoint,
    provide(StateSink, (http: HttpPlugin) => http.streams),
    provide(RequestGroup, (http: HttpPlugin) => http.requests),
  ],
})
export class HttpPlugin implements Plugin, TransactionEndpoint {
  readonly name = "http";
  readonly streams = new EventStreams();
  readonly requests: RequestGroup;
  private readonly servers: HttpServer[] = [];
  private readonly transactions = new TransactionCounts();
  private northbound: Northbound | undefined;
  private tcpPort: number | undefined;

  constructor(
    @inject(PluginConfig) private readonly config: HttpConfig,
    @inject(Logger) private readonly log: Logger,
    @inject(PluginHealthReporter) private readonly reporter: PluginHealthReporter,
    @inject(AgentInfo) private readonly info: AgentInfo,
    @inject(Health) private readonly health: Health,
    @inject(LogRegistry) private readonly logs: LogRegistry,
    @inject(ModelRegistry) private readonly models: ModelRegistry,
    @inject(Scheduler) private readonly scheduler: Scheduler,
    @inject(EventPublisher) private readonly publisher: EventPublisher,
    @injectAll(RequestGroup) private readonly groups: All<RequestGroup>,
  ) {
    this.requests = new SchedulerRequests(scheduler);
  }

  /** Path of the local socket. */
  get socketPath(): string {
    return this.config.socket === "" ? defaultSocketPath(this.info.label) : this.config.socket;
  }

  /** The TCP port listened on, `undefined` when TCP is off. */
  get port(): number | undefined {
    return this.tcpPort;
  }

  serve(northbound: Northbound): void {
    this.northbound = northbound;
  }

  init(): void {
    this.transactions.watch(this.scheduler);
  }

  async afterInit(): Promise<void> {
    const routes = routesOf(this.api());
    await this.listenLocally(routes);
    if (this.config.tcp.enabled) await this.listenOnTcp(routes);
    this.reporter.ok();
  }

  async close(): Promise<void> {
    this.streams.close();
    this.transactions.close();
    await Promise.all(this.servers.splice(0).map((server) => server.close()));
  }

  private async listenLocally(routes: RouteTable): Promise<void> {
    const path = this.socketPath;
    await claimSocketPath(path);
    const server = this.keep(new HttpServer(routes, this.options()));
    try {
      await server.listen({ path });
    } catch (cause) {
      throw new InvalidInputError("SOCKET_DENIED", `cannot listen on ${path}: ${errorMessage(cause)}`, {
        field: "http.socket",
        cause,
      });
    }
    await setSocketMode(path, this.config.socket_mode);
    this.log.info({ socket: path }, "listening on the local socket");
  }

  private async listenOnTcp(routes: RouteTable): Promise<void> {
    const { host, port } = this.config.tcp;
    const { token_file, tls } = this.config;
    const access = {
      admit: tcpAdmission(this.config, (problem) => this.tellOfToken(problem)),
      tls: tlsOptions(this.config),
    };
    if (!isLoopback(host) && token_file !== "" && tls.cert_file === "") {
      this.log.warn({ host }, "the token of http.token_file crosses the network unencrypted; set http.tls.cert_file");
    }
    const server = this.keep(new HttpServer(routes, { ...this.options(), ...access }));
    try {
      const bound = await server.listen({ host, port });
      if (typeof bound === "object" && bound !== null) this.tcpPort = bound.port;
      this.log.info({ host, port: this.tcpPort }, "listening on TCP");
    } catch (cause) {
      throw new InvalidInputError("TCP_LISTEN", `cannot listen on ${host} port ${port}: ${errorMessage(cause)}`, {
        field: "http.tcp",
        cause,
      });
    }
  }

  private tellOfToken(problem: string | undefined): void {
    if (problem === undefined) this.reporter.ok();
    else this.reporter.degraded(`nobody is let in over TCP: ${problem}`);
  }

  private options(): ServerOptions {
    return { log: this.log, maxBodyBytes: this.config.max_body_bytes };
  }

  /** Remembers what close() must close. */
  private keep(server: HttpServer): HttpServer {
    this.servers.push(server);
    return server;
  }

  private api(): Api {
    const { info, health, logs, models, scheduler, publisher, streams, transactions } = this;
    return {
      info,
      health,
      logs,
      models,
      scheduler,
      publisher,
      streams,
      transactions,
      groups: this.groups.get(),
      northbound: () => this.serving(),
    };
  }

  private serving(): Northbound {
    if (this.northbound !== undefined) return this.northbound;
    throw new BusError("NOT_READY", "nothing takes requests: the agent is starting, or its flavor has no orchestrator");
  }
}
