import { declareMicroserviceTests } from "./support/microservice-stories.js";

declareMicroserviceTests("podman");
