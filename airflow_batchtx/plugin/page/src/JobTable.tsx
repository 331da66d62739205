import { Box, Button, Table, Text } from "@chakra-ui/react";
import type { ReactNode } from "react";

import type { Job, Jobs } from "./api";
import { AwayLinks, Progress, Within } from "./parts";
import { bar, type Mode, phases, type Scale, scale, whole } from "./phases";
import { State } from "./state";
import { TimeLine } from "./TimeLine";
import { count, duration, moment, money, timeOfDay } from "./wording";

export type Sort = { readonly by: string; readonly descending: boolean };

const ORDERS = { ascending: "▲", descending: "▼" } as const;

const Sortable = ({
  by,
  children,
  end = false,
  setSort,
  sort,
}: {
  readonly by: string;
  readonly children: ReactNode;
  readonly end?: boolean;
  readonly setSort: (sort: Sort) => void;
  readonly sort: Sort;
}) => {
  const order = sort.by === by ? (sort.descending ? "descending" : "ascending") : undefined;

  return (
    <Table.ColumnHeader aria-sort={order ?? "none"} textAlign={end ? "end" : undefined} whiteSpace="nowrap">
      <Button
        color="inherit"
        fontWeight="inherit"
        gap="1"
        height="auto"
        minW="0"
        onClick={() => setSort({ by, descending: order !== "descending" })}
        p="0"
        size="sm"
        variant="plain"
      >
        {children}
        <Box aria-hidden as="span" fontSize="2xs" visibility={order ? "visible" : "hidden"}>
          {ORDERS[order ?? "descending"]}
        </Box>
      </Button>
    </Table.ColumnHeader>
  );
};

/** What the bars of a column are drawn to, as its header. */
const Ends = ({ drawn, mode, zone }: { readonly drawn: Scale; readonly mode: Mode; readonly zone: string }) => {
  const named = (seconds: number) =>
    mode === "clock" ? timeOfDay(new Date(seconds * 1000).toISOString(), zone) : duration(seconds);

  return (
    <Box display="flex" fontSize="xs" fontWeight="normal" gap="2" justifyContent="space-between">
      <span>{named(drawn.from)}</span>
      <span>{named(drawn.to)}</span>
    </Box>
  );
};

const Muted = ({ children, title }: { readonly children: ReactNode; readonly title?: string }) => (
  <Text color="fg.muted" fontSize="xs" maxW="150px" title={title} truncate>
    {children}
  </Text>
);

/** Where Airflow has the task instance of a job. */
export function taskPath(job: Job): string {
  const [dag, run, task] = [job.dag_id, job.run_id, job.task_id].map(encodeURIComponent);
  const mapped = job.map_index < 0 ? "" : `/mapped/${job.map_index}`;

  return `/dags/${dag}/runs/${run}/tasks/${task}${mapped}`;
}

const Row = ({
  drawn,
  job,
  mode,
  now,
  zone,
}: {
  readonly drawn: Scale;
  readonly job: Job;
  readonly mode: Mode;
  readonly now: string;
  readonly zone: string;
}) => {
  const parts = phases(job, now);
  const note = job.unknown === "" ? job.reason : `Not known: ${job.unknown}`;

  return (
    <Table.Row>
      <Table.Cell>
        <State state={job.state} />
        {note === "" ? undefined : <Muted title={note}>{note}</Muted>}
      </Table.Cell>
      <Table.Cell>
        <Within to={`${taskPath(job)}/plugin/transform-job`}>
          {job.task_id}
          {job.map_index < 0 ? "" : ` [${job.map_index}]`}
        </Within>
        <Muted>
          <Within to={`/dags/${encodeURIComponent(job.dag_id)}`}>{job.dag_id}</Within>
        </Muted>
      </Table.Cell>
      <Table.Cell whiteSpace="nowrap">
        <Within to={`/dags/${encodeURIComponent(job.dag_id)}/runs/${encodeURIComponent(job.run_id)}`}>
          {moment(job.run_after, zone)}
        </Within>
        <Muted title={job.run_id}>{job.run_id}</Muted>
      </Table.Cell>
      <Table.Cell whiteSpace="nowrap">
        {moment(job.created, zone)}
        <Muted title={job.job_name}>
          {job.instance_count} × {job.instance_type}
        </Muted>
      </Table.Cell>
      <Table.Cell minW="170px" width="30%">
        <TimeLine bar={bar(job, mode, drawn, now)} parts={parts} />
      </Table.Cell>
      <Table.Cell whiteSpace="nowrap">
        {duration(parts && whole(parts))}
        {parts ? <Muted>{duration(parts.provisioning)} provisioning</Muted> : undefined}
      </Table.Cell>
      <Table.Cell>
        <Progress job={job} />
        {job.seconds_left ? <Muted>about {duration(job.seconds_left)} left</Muted> : undefined}
      </Table.Cell>
      <Table.Cell textAlign="end">{count(job.rows)}</Table.Cell>
      <Table.Cell textAlign="end" whiteSpace="nowrap">
        {money(job.running_cost ?? job.cost, job.currency)}
        {job.running_cost === null ? undefined : <Muted>so far</Muted>}
      </Table.Cell>
      <Table.Cell>
        <AwayLinks job={job} />
      </Table.Cell>
    </Table.Row>
  );
};

export const JobTable = ({
  data,
  mode,
  setSort,
  sort,
  zone,
}: {
  readonly data: Jobs;
  readonly mode: Mode;
  readonly setSort: (sort: Sort) => void;
  readonly sort: Sort;
  readonly zone: string;
}) => {
  const drawn = scale(data.jobs, mode, data.now);
  const ordered = { setSort, sort };

  return (
    <Table.ScrollArea>
      <Table.Root aria-label="Transform jobs" size="sm" striped>
        <Table.Header bg="bg">
          <Table.Row>
            <Table.ColumnHeader>State</Table.ColumnHeader>
            <Table.ColumnHeader>Task</Table.ColumnHeader>
            <Table.ColumnHeader>DAG run</Table.ColumnHeader>
            <Sortable by="created" {...ordered}>
              Created
            </Sortable>
            <Table.ColumnHeader>
              Time line
              <Ends drawn={drawn} mode={mode} zone={zone} />
            </Table.ColumnHeader>
            <Sortable by="duration" {...ordered}>
              Duration
            </Sortable>
            <Table.ColumnHeader>Progress</Table.ColumnHeader>
            <Sortable by="rows" end {...ordered}>
              Rows
            </Sortable>
            <Sortable by="cost" end {...ordered}>
              Cost
            </Sortable>
            <Table.ColumnHeader>Links</Table.ColumnHeader>
          </Table.Row>
        </Table.Header>
        <Table.Body>
          {data.jobs.map((job) => (
            <Row
              drawn={drawn}
              job={job}
              key={`${job.dag_id}/${job.run_id}/${job.task_id}/${job.map_index}`}
              mode={mode}
              now={data.now}
              zone={zone}
            />
          ))}
        </Table.Body>
      </Table.Root>
    </Table.ScrollArea>
  );
};
