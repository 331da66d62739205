"""From a listing and a job to what is read, where it is written, and in which doses. Pure: no I/O."""
