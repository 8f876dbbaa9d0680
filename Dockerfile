# The agent: `docker build -t tenuto .`. It configures the network namespace that it runs in, so give it the host's:
#   docker run --network host --cap-add NET_ADMIN --cap-add SYS_ADMIN -v tenuto:/var/lib/tenuto tenuto --nats nats://…
# Named namespaces of the host and those of its processes and containers need more: docs/operating.md.
FROM node:22-slim AS build
WORKDIR /build
COPY package.json package-lock.json .npmrc ./
RUN npm ci --ignore-scripts
COPY . .
RUN npm run build && npm prune --omit=dev --ignore-scripts

FROM node:22-slim
# iproute2 for whoever looks inside; the agent itself needs only the kernel.
RUN apt-get update && apt-get install -y --no-install-recommends iproute2 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/tenuto
COPY --from=build /build/package.json ./
COPY --from=build /build/node_modules ./node_modules
COPY --from=build /build/proto ./proto
COPY --from=build /build/dist ./dist
COPY --from=build /build/plugins/http/page.html ./plugins/http/page.html
ENV NODE_ENV=production TENUTO_SOCKET=/run/tenuto/agent.sock
VOLUME ["/var/lib/tenuto"]
HEALTHCHECK --interval=10s --timeout=3s --start-period=5s \
  CMD ["node", "-e", "require('node:http').get({ socketPath: process.env.TENUTO_SOCKET, path: '/liveness' }, (r) => process.exit(r.statusCode === 200 ? 0 : 1)).on('error', () => process.exit(1))"]
ENTRYPOINT ["node", "/opt/tenuto/dist/cli/tenuto.js", "agent"]
