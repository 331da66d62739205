import { Badge } from "@chakra-ui/react";

type Look = { readonly palette: string; readonly words: string };

// The colours that Airflow has for the states of tasks.
const LOOKS: Readonly<Record<string, Look>> = {
  Completed: { palette: "success", words: "Completed" },
  Failed: { palette: "failed", words: "Failed" },
  InProgress: { palette: "running", words: "In progress" },
  NotFollowed: { palette: "none", words: "Not followed" },
  Stopped: { palette: "upstream_failed", words: "Stopped" },
  Stopping: { palette: "restarting", words: "Stopping" },
};

export const stateWords = (state: string): string => LOOKS[state]?.words ?? state;

export const State = ({ state }: { readonly state: string }) => (
  <Badge colorPalette={LOOKS[state]?.palette ?? "none"} size="md" variant="solid">
    {stateWords(state)}
  </Badge>
);
