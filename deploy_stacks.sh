#!/bin/sh
# Deploy the stacks that Airflow itself needs, networking and orchestration with Airflow's files, or the one that is
# named, or all. Afterwards the DAG deploy_infrastructure deploys all but orchestration. --destroy removes these two or
# one of them, once no later stack stands, and says by name what they leave behind; production only if it is confirmed.
# A second call without changes changes nothing; one that would replace or remove what holds data is refused without
# --allow-replacement.
#
#   make package
#   ./deploy_stacks.sh development us-east-1
#   ./deploy_stacks.sh development us-east-1 monitoring
#   ./deploy_stacks.sh development us-east-1 all
#   ./deploy_stacks.sh --destroy development us-east-1
#   ./deploy_stacks.sh --destroy production us-east-1 --confirm production
set -eu

usage="usage: ./deploy_stacks.sh [--allow-replacement] development|staging|production REGION [STACK|all]
       ./deploy_stacks.sh --destroy development|staging REGION [networking|orchestration]
       ./deploy_stacks.sh --destroy production REGION [networking|orchestration] --confirm production"
command=deploy
if [ "${1:-}" = "--destroy" ]; then
    command=destroy
    shift
elif [ "${1:-}" = "--allow-replacement" ]; then
    command="deploy --allow-replacement"
    shift
fi
most=3
if [ "$command" = destroy ]; then
    most=5
fi
if [ $# -lt 2 ] || [ $# -gt $most ]; then
    echo "$usage" >&2
    exit 2
fi

here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
python="$here/.venv/bin/python"
if [ ! -x "$python" ]; then
    echo "$python is missing: run make setup" >&2
    exit 1
fi
PYTHONPATH="$here/plugins${PYTHONPATH:+:$PYTHONPATH}" exec "$python" -m concert_platform.cloudformation $command "$@"
