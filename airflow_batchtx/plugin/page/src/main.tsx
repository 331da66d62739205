import { JobsPage } from "./JobsPage";
import { JobTab } from "./JobTab";

// Airflow looks its views up by the names that the plugin gives them.
Object.assign(globalThis, { "Transform job": JobTab, Transforms: JobsPage });
