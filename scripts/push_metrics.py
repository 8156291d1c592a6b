"""Push the metrics files of the present dvc.lock to the default DVC remote.

Metrics lie in git (`cache: false`), so `dvc push` leaves them out. But the run-cache restores a
stage only with all of its outputs: without this, every stage that has metrics would run again on
every other machine. DVC has put a copy of them into its local cache when the stage ran.
"""

from dvc.repo import Repo


def main() -> None:
    """Push what the local cache has; stages that did not run here were pushed where they ran."""
    with Repo() as repo:
        local = repo.cache.local
        outs = [out for stage in repo.index.stages for out in stage.outs if not out.use_cache]
        hashes = {out.hash_info for out in outs if out.hash_info}
        present = {value for value in hashes if local.exists(value.value)}
        pushed = repo.cloud.push(present)
        print(f"{len(pushed.transferred)} metrics files pushed")


if __name__ == "__main__":
    main()
