"""The image of a project, built and pushed by docker or podman.

context.py      the files that an image is made of
credentials.py  files that stay out of it
dockerfile.py   Dockerfile.j2, rendered
checks.py       what prevents a build, or makes a poor image
build.py        the steps of a build, its name and digest, and the images that exist
push.py         the steps of a push
builder.py      docker or podman
parts/          what the builder stage runs and installs
"""
