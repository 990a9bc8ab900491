"""No-op jobs a second through vico, Dask, Ray and HyperQueue, in turn on the same machine.

    python coordinator/benches/beside_peers.py [--jobs 10000 --rounds 3]

Runs the benchmark `runner` for vico, its rate alone: a job there is a lease over gRPC, a check of its outputs, a receipt in
a bucket and an event in a journal on disk, answered when durable. A task of Dask or Ray is a function that returns, and
nothing is written down; one of HyperQueue is a process, `/bin/true`, for its package has no workers that start none.
Peers that are not installed (`pip install distributed ray hyperqueue`) are left out, with the reason.
"""

import argparse
import importlib.util
import os
import re
import statistics
import subprocess
import sys
import time

WORKERS = 4


def noop(number):
    return number


def vico(jobs):
    command = ["cargo", "bench", "--quiet", "--workspace", "--bench", "runner"]
    env = dict(os.environ, VICO_RUNNER_JOBS=str(jobs), VICO_RUNNER_ONLY="rate")
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    found = re.search(r"^\d+ workers, \d+ jobs +([\d.]+) jobs/s", done.stdout, re.MULTILINE)
    if found is None:
        sys.exit(f"no rate in the output of `runner`:\n{done.stdout}")
    return float(found.group(1))


def dask(jobs):
    from distributed import Client, LocalCluster, wait

    with LocalCluster(
        n_workers=WORKERS, threads_per_worker=1, processes=True, dashboard_address=None, memory_limit=0
    ) as cluster, Client(cluster) as client:
        client.gather(client.map(noop, range(200), pure=False))
        begun = time.perf_counter()
        wait(client.map(noop, range(jobs), pure=False))
        return jobs / (time.perf_counter() - begun)


def ray(jobs):
    import ray

    ray.init(
        num_cpus=WORKERS,
        include_dashboard=False,
        log_to_driver=False,
        logging_level="error",
        object_store_memory=200 * 2**20,
    )
    try:
        task = ray.remote(num_cpus=1)(noop)
        ray.get([task.remote(number) for number in range(200)])
        begun = time.perf_counter()
        ray.get([task.remote(number) for number in range(jobs)])
        return jobs / (time.perf_counter() - begun)
    finally:
        ray.shutdown()


def hyperqueue(jobs):
    from hyperqueue import Job, LocalCluster
    from hyperqueue.cluster import WorkerConfig

    def timed(client, tasks):
        job = Job()
        for _ in range(tasks):
            job.program(["/bin/true"], stdout=None, stderr=None)
        begun = time.perf_counter()
        client.wait_for_jobs([client.submit(job)])
        return tasks / (time.perf_counter() - begun)

    with LocalCluster() as cluster:
        for _ in range(WORKERS):
            cluster.start_worker(WorkerConfig(cores=1))
        client = cluster.client()
        timed(client, 100)
        return timed(client, jobs)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    systems = {"vico": vico}
    for name, module, run in [
        ("dask", "distributed", dask),
        ("ray", "ray", ray),
        ("hyperqueue", "hyperqueue", hyperqueue),
    ]:
        if importlib.util.find_spec(module):
            systems[name] = run
        else:
            print(f"{name}: left out, the package `{module}` is not installed")
    rates = {name: [] for name in systems}
    for _ in range(args.rounds):
        for name, run in systems.items():
            rates[name].append(run(args.jobs))
    for name, found in rates.items():
        ratios = [ours / theirs for ours, theirs in zip(rates["vico"], found)]
        low, high = min(found), max(found)
        print(
            f"{name:10} {statistics.median(found):8.0f} jobs/s ({low:.0f} to {high:.0f}), "
            f"vico / this {statistics.median(ratios):.1f}"
        )


if __name__ == "__main__":
    main()
