"""What a project file sets: the types of its values as they are written, and the models of its larger parts."""
