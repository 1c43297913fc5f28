"""What the tests run against: emulators, checkouts with projects, and the real runtime in a directory.

Fixtures
    fixtures            all fixtures that tests share; those of other modules are imported there

Projects
    checkout            tasks.py and projects/ in a directory, and `invoke` run in it
    stub_project        a project with stub stacks in moto or LocalStack: what a task reads of a deployment (`shop`)
    deployed_project    a project that `invoke deploy` deploys to an account, with a fault proxy between them
    runtime_project     a project's directory, and handoff_runtime started in it
    stack_fixture       a stack's bucket and parameters in moto, and containers that run it
    project_text        project files as text, and their problems
    rendered_templates  rendered templates, and cfn-lint on them
    state_machine       the state machine in the template of a task stack, and what its Choices decide

AWS
    moto_bucket         moto, and a bucket for each test
    localstack          LocalStack, and an account for each test
    localstack_ecs/     what LocalStack lacks, in its own process
    account             an account of LocalStack with ECR and Fargate: what is in it, and schedules that fire
    fargate             Fargate: RunTask starts a container; fargate_life is a task's life, fargate_task its description
    ecs                 a small ECS and Step Functions, whose tasks go through states that the test gives
    ecr                 a registry behind ECR's name
    policies            what a role's statements allow

HTTP
    http_server         handler, server in a thread, and forwarding for all of these
    fault_proxy         faults of network and services on the way to AWS
    iam_proxy           refuses what the role of a container's task does not allow
    moto_proxy          answers or changes calls of ECS and ECR before moto
    protocols           calls of AWS as they are sent, and errors as each service writes them

Processes, files and texts
    containers          docker and podman, and what is in an image
    forkserver          Python, for `invoke` and the runtime, forked from a process that has their libraries loaded
    terminal            a pseudo-terminal and its screen
    transcript          commands of a page of the docs, run again and compared
    damages             damages of a file that handoff writes
    sources             the modules of handoff, and the texts in them
"""
