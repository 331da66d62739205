import { Box, Button, Heading, HStack, NativeSelect, Spinner, Text } from "@chakra-ui/react";
import { useSearchParams } from "react-router-dom";

import { type Jobs, useAsked } from "./api";
import { JobTable, type Sort } from "./JobTable";
import { NoJobs, Nothing, Pages, Trouble } from "./parts";
import { bestMode, isRunning, type Mode } from "./phases";
import { stateWords } from "./state";
import { Legend } from "./TimeLine";
import { count, timeOfDay } from "./wording";
import { useZone } from "./zone";

// Seconds from one look to the next, while a job runs and while none does.
const SOON = 5;
const LATER = 30;

const again = (data: Jobs | undefined) => (data?.jobs.some(isRunning) ? SOON : LATER);

/** What the page shows, in its address: so that it can be sent to somebody, and the browser's way back works. */
function useView() {
  const [search, setSearch] = useSearchParams();
  const change = (changed: Record<string, string | undefined>) => {
    const next = new URLSearchParams(search);

    for (const [name, value] of Object.entries({ page: undefined, ...changed })) {
      if (value === undefined || value === "") {
        next.delete(name);
      } else {
        next.set(name, value);
      }
    }
    setSearch(next);
  };

  return { change, search };
}

const Choice = ({
  counts,
  label,
  onChange,
  value,
  words,
}: {
  readonly counts: Readonly<Record<string, number>>;
  readonly label: string;
  readonly onChange: (value: string) => void;
  readonly value: string;
  readonly words: (name: string) => string;
}) => {
  // What is chosen stays on the list, even if no job is left of it.
  const names = Object.keys(value === "" || value in counts ? counts : { [value]: 0, ...counts });

  return (
    <HStack as="label" gap="2">
      <Text fontSize="sm">{label}</Text>
      <NativeSelect.Root size="sm" width="auto">
        <NativeSelect.Field aria-label={label} onChange={(event) => onChange(event.currentTarget.value)} value={value}>
          <option value="">All</option>
          {names.map((name) => (
            <option key={name} value={name}>
              {words(name)} ({count(counts[name] ?? 0)})
            </option>
          ))}
        </NativeSelect.Field>
        <NativeSelect.Indicator />
      </NativeSelect.Root>
    </HStack>
  );
};

const MODES: Readonly<Record<Mode, string>> = { clock: "By the clock", length: "By length" };

export const JobsPage = () => {
  const { change, search } = useView();
  const zone = useZone();
  const asked = new URLSearchParams(search);

  asked.delete("line");
  const { data, error, loading } = useAsked<Jobs>(`jobs?${asked.toString()}`, again, "jobs");
  const page = Number(search.get("page") ?? 0);
  const sort: Sort = { by: search.get("sort") ?? "created", descending: search.get("descending") !== "false" };
  const line = search.get("line");
  const mode = line === "clock" || line === "length" ? line : bestMode(data?.jobs ?? [], data?.now ?? "");
  const sorted = (next: Sort) => change({ descending: next.descending ? undefined : "false", sort: next.by });

  return (
    <Box display="flex" flexDirection="column" gap="3" height="100%" overflow="auto" p="4">
      <HStack flexWrap="wrap" gap="4" justify="space-between">
        <HStack gap="3">
          <Heading as="h1" size="xl">
            Transform jobs
          </Heading>
          {loading ? <Spinner aria-label="Loading" size="sm" /> : undefined}
        </HStack>
        <Text color="fg.muted" fontSize="sm">
          {/* The time changes with each look: who listens is told of the number alone. */}
          <span aria-live="polite">{data ? `${count(data.total)} jobs` : ""}</span>
          {data ? `, as of ${timeOfDay(data.now, zone)}` : ""}
        </Text>
      </HStack>
      {error ? <Trouble title="The jobs cannot be shown">{error.message}</Trouble> : undefined}
      {data ? (
        <>
          <HStack flexWrap="wrap" gap="5">
            <Choice
              counts={data.dags}
              label="DAG"
              onChange={(dag_id) => change({ dag_id })}
              value={search.get("dag_id") ?? ""}
              words={(name) => name}
            />
            <Choice
              counts={data.states}
              label="State"
              onChange={(state) => change({ state })}
              value={search.get("state") ?? ""}
              words={stateWords}
            />
            <HStack aria-label="Time line" gap="1" role="group">
              {(["clock", "length"] as const).map((one) => (
                <Button
                  aria-pressed={mode === one}
                  key={one}
                  onClick={() => change({ line: one, page: search.get("page") ?? undefined })}
                  size="xs"
                  variant={mode === one ? "subtle" : "ghost"}
                >
                  {MODES[one]}
                </Button>
              ))}
            </HStack>
            <Legend />
          </HStack>
          {data.jobs.length > 0 ? (
            <>
              <JobTable data={data} mode={mode} setSort={sorted} sort={sort} zone={zone} />
              <Pages
                of={data.total}
                page={page}
                setPage={(next) => change({ page: next === 0 ? undefined : String(next) })}
                size={data.page_size}
                what="jobs"
              />
            </>
          ) : data.total > 0 ? (
            <Nothing title="There are not so many pages">
              <Button onClick={() => change({})} size="xs" variant="outline">
                First page
              </Button>
            </Nothing>
          ) : data.all > 0 ? (
            <Nothing title="No job is like that">Choose another DAG or another state.</Nothing>
          ) : (
            <NoJobs />
          )}
        </>
      ) : undefined}
    </Box>
  );
};
